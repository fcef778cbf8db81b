"""Loading the user's code: a file or module becomes a model that can be built again."""

from __future__ import annotations

import ast
import contextlib
import difflib
import importlib
import importlib.util
import inspect
import linecache
import os
import sys
import traceback
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType, TracebackType
from typing import Any

import torch
from torch import nn

from seqify.diagnostics import Diagnostic, Location
from seqify.errors import CannotAsk
from seqify.target import Target, parse_target

__all__ = ["Model", "build_in", "load_file", "load_live", "load_over", "load_target", "quiet", "user_frames"]

_HERE = os.path.dirname(__file__) + os.sep
_TORCH = os.path.dirname(torch.__file__) + os.sep


@dataclass(frozen=True)
class Model:
    """
    A module under conversion and how it came to be.

    `expression` gives the module when it is evaluated in `module`; None for an instance that the caller holds.
    `build` makes it anew from a seed; None for any instance, whose constructor arguments nobody knows.
    """

    name: str
    instance: nn.Module
    kind: type[nn.Module]
    module: ModuleType | None
    filename: str | None
    expression: str | None
    build: Callable[[int], nn.Module] | None


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Send everything that user code prints, from Python or from C, to standard error."""
    with contextlib.suppress(Exception):  # user code may have closed it, or put something else there
        sys.stdout.flush()
    try:
        saved = os.dup(1)
    except OSError:  # standard output is closed
        with contextlib.redirect_stdout(sys.stderr):
            yield
        return
    try:
        os.dup2(2, 1)
        with contextlib.redirect_stdout(sys.stderr):
            yield
    finally:
        with contextlib.suppress(Exception):
            sys.__stdout__.flush()  # type: ignore[union-attr]  # what the user's code put there past the redirection
        os.dup2(saved, 1)
        os.close(saved)


def user_frames(trace: TracebackType | None) -> list[traceback.FrameSummary]:
    """The frames of a traceback that are neither Python's import system, torch's nor seqify's."""
    hidden = (_HERE, _TORCH, "<frozen importlib", os.path.dirname(os.__file__) + os.sep + "importlib")
    return [frame for frame in traceback.extract_tb(trace) if not frame.filename.startswith(hidden)]


def _raised(code: str, doing: str, error: BaseException) -> CannotAsk:
    frames = user_frames(error.__traceback__)
    notes = tuple(f"{frame.filename}:{frame.lineno} in {frame.name}: {frame.line}" for frame in frames)
    place = Location(frames[-1].filename, frames[-1].lineno or 1) if frames else None
    if isinstance(error, SyntaxError) and error.filename:
        place = Location(error.filename, error.lineno or 1, error.offset or 1)
    text = "".join(traceback.format_exception_only(error)).strip().splitlines()[-1]
    if isinstance(error, SystemExit):
        text = f"the code called sys.exit ({error.code})"
    return CannotAsk(Diagnostic(code, f"{doing}: {text}", place, notes=notes[-6:]))


def load_target(text: str) -> Model:
    """
    Import the file or module of a target and build the module it names.

    The build happens under a fixed seed, and the caller's random state is restored.

    Raises:
        CannotAsk: SQ001 to SQ004, SQ007: no such name, arguments missing, or the user's code raised.
    """
    target = parse_target(text)
    module = load_file(target.path) if target.path else _import(target.module or "")
    found = _look_up(module, target)
    name = target.name
    if isinstance(found, nn.Module):
        if target.call is not None:
            raise CannotAsk(
                Diagnostic(
                    "SQ004", f"`{name}` is a module instance, not a class", help=f"name it without arguments: `{name}`"
                )
            )
        return Model(text, found, type(found), module, _file_of(type(found)), name, None)
    if not callable(found):
        raise CannotAsk(Diagnostic("SQ004", f"`{name}` is a {type(found).__name__}, not a module class or factory"))
    expression = name + target.arguments
    instance = build_in(module, expression)
    kind = type(instance)
    # a class or factory that was only re-exported is looked at where it is defined
    home = sys.modules.get(getattr(found, "__module__", ""), module)
    if home is not module and getattr(home, name.rpartition(".")[2], None) is found:
        module, expression = home, name.rpartition(".")[2] + target.arguments
    return Model(
        text, instance, kind, module, _file_of(kind), expression, lambda seed: build_in(module, expression, seed)
    )


def load_live(instance: nn.Module) -> Model:
    """A model for an instance that the caller holds; its class is read from where it was defined."""
    kind = type(instance)
    forward = getattr(kind, "forward", None)  # a scripted module has one only on the instance
    names = getattr(inspect.unwrap(forward), "__globals__", {}) if forward is not None else {}
    module = sys.modules.get(kind.__module__)
    if module is None or vars(module) is not names:  # made by `exec`, or imported past `sys.modules`
        module = ModuleType(str(names.get("__name__") or "live"))
        module.__dict__.update(names)
    return Model(kind.__qualname__, instance, kind, module, _file_of(kind), None, None)


def _file_of(kind: type) -> str | None:
    """The file of a class, through any function it defines: notebook classes have no other trace of it."""
    for member in vars(kind).values():
        function = inspect.unwrap(member) if callable(member) else None
        code = getattr(function, "__code__", None)
        if code is not None and code.co_name != "<lambda>":
            if os.path.exists(code.co_filename):
                return str(code.co_filename)
            return str(code.co_filename) if linecache.getlines(code.co_filename) else None
    try:
        return inspect.getsourcefile(kind)
    except (TypeError, OSError):
        return None


def _import(name: str) -> ModuleType:
    if os.getcwd() not in sys.path:
        sys.path.insert(0, os.getcwd())
    try:
        with quiet():
            return importlib.import_module(name)
    except KeyboardInterrupt:
        raise
    except BaseException as error:
        if isinstance(error, ModuleNotFoundError) and error.name and (name + ".").startswith(error.name + "."):
            raise CannotAsk(Diagnostic("SQ001", f"no module named `{error.name}`")) from None
        raise _raised("SQ003", f"`{name}` cannot be imported", error) from None


def load_file(path: str | os.PathLike[str], name: str | None = None, stands_for: str | None = None) -> ModuleType:
    """
    Import a Python file by its path, with whatever packages it is part of.

    Args:
        path: the file.
        name: the module's full name, which relative imports start from; by default the one that `import` would give it.
        stands_for: what the file finds in its `__file__`, so that a copy in another folder reads the same resources.

    Raises:
        CannotAsk: SQ001 when there is no such file, SQ003 when it raises.
    """
    file = Path(path)
    if not file.is_file():
        near = [str(other) for other in sorted(file.parent.glob("*.py"))] if file.parent.is_dir() else []
        hint = difflib.get_close_matches(str(file), near, n=3, cutoff=0.5)
        raise CannotAsk(Diagnostic("SQ001", f"no file `{path}`", help=f"did you mean {_or(hint)}?" if hint else None))
    file = file.resolve()
    root, parts = file.parent, [file.stem]
    while name is None and (root / "__init__.py").is_file():
        parts.insert(0, root.name)
        root = root.parent
    if len(parts) > 1 and parts[-1] == "__init__":
        parts.pop()
    full = name or ".".join(parts)
    if name is None and str(root) not in sys.path:
        sys.path.insert(0, str(root))
    try:
        with quiet():
            if name is None and len(parts) > 1:
                module = importlib.import_module(full)
                if os.path.realpath(getattr(module, "__file__", None) or "") == str(file):
                    return module
            return _execute(file, full if name else _free_name(full, file), stands_for)
    except KeyboardInterrupt:
        raise
    except BaseException as error:
        raise _raised("SQ003", f"`{path}` cannot be imported", error) from None


def _free_name(name: str, file: Path) -> str:
    """The file's own name, unless another module answers to it (a `random.py` beside the standard one)."""
    known = sys.modules.get(name)
    if known is not None:
        same = os.path.realpath(getattr(known, "__file__", None) or "") == str(file)
        return name if same and name != "__main__" else f"_{name.replace('.', '_')}_file"
    if name in sys.stdlib_module_names:
        return f"_{name}_file"
    return name


def _execute(file: Path, name: str, stands_for: str | None) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, file)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    if stands_for is not None:
        module.__file__ = stands_for
    before = sys.modules.get(name)
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    except BaseException:
        if before is None:
            del sys.modules[name]
        else:
            sys.modules[name] = before
        raise
    return module


def load_over(old: ModuleType, old_text: str, path: str | os.PathLike[str], name: str) -> ModuleType:
    """
    Import a changed copy of a module's file where running all of it again would fail: it registers something, say.

    The copy starts from what the old module holds. Definitions and statements that changed run again, so that
    functions see the new classes; other statements have run already, with the same result.

    Raises:
        CannotAsk: SQ003 when what has changed raises.
    """
    module = ModuleType(name)
    module.__dict__.update({key: value for key, value in vars(old).items() if key not in ("__name__", "__spec__")})
    known = {ast.dump(node) for node in ast.parse(old_text).body}
    sys.modules[name] = module
    for node in ast.parse(Path(path).read_bytes(), str(path)).body:
        definition = isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef)
        unchanged = ast.dump(node) in known
        if unchanged and not definition:
            continue
        code = compile(ast.Module([node], []), str(path), "exec")
        try:
            with quiet():
                exec(code, module.__dict__)
        except KeyboardInterrupt:
            raise
        except BaseException as error:
            if not unchanged or not getattr(node, "decorator_list", None):
                raise _raised("SQ003", f"`{path}` cannot be imported", error) from None
            # a registry that holds the name already keeps the old entry; the new module gets the bare definition
            node.decorator_list = []  # type: ignore[attr-defined]
            exec(compile(ast.Module([node], []), str(path), "exec"), module.__dict__)
    return module


def _or(names: list[str]) -> str:
    return " or ".join(f"`{name}`" for name in names)


def _look_up(module: ModuleType, target: Target) -> Any:
    found: Any = module
    for part in target.name.split("."):
        if not hasattr(found, part):
            names = [
                key
                for key, value in vars(found).items()
                if isinstance(value, nn.Module) or (isinstance(value, type) and issubclass(value, nn.Module))
            ]
            near = difflib.get_close_matches(part, names, n=3, cutoff=0.4) or sorted(names)[:5]
            raise CannotAsk(
                Diagnostic(
                    "SQ001",
                    f"no `{part}` in `{target.path or target.module}`",
                    help=f"did you mean {_or(near)}?" if near else "the file defines no module class",
                )
            )
        found = getattr(found, part)
    return found


def build_in(module: ModuleType, expression: str, seed: int = 0) -> nn.Module:
    """
    Evaluate `Net`, `Net(width=64)` or `net()` in a module, under a seed; the random state is put back.

    Arguments are literals, names the module knows, and arithmetic or containers of them.

    Raises:
        CannotAsk: SQ002 for missing arguments, SQ004 when the result is no module, SQ007 when the code raised.
    """
    call = ast.parse(expression, mode="eval").body
    with quiet(), torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        if not isinstance(call, ast.Call):
            built = _evaluate(call, module)
        else:
            function = _evaluate(call.func, module)
            args = [_evaluate(node, module) for node in call.args]
            kwargs = {keyword.arg or "": _evaluate(keyword.value, module) for keyword in call.keywords}
            _check_arguments(function, ast.unparse(call.func), args, kwargs)
            try:
                built = function(*args, **kwargs)
            except KeyboardInterrupt:
                raise
            except BaseException as error:
                raise _raised("SQ007", f"`{expression}` raised", error) from None
    if not isinstance(built, nn.Module):
        raise CannotAsk(Diagnostic("SQ004", f"`{expression}` gives a {type(built).__name__}, not an `nn.Module`"))
    return built


_ALLOWED = (
    ast.Constant, ast.Name, ast.Attribute, ast.Tuple, ast.List, ast.Set, ast.Dict, ast.UnaryOp, ast.BinOp,
    ast.operator, ast.unaryop, ast.expr_context,
)  # fmt: skip


def _evaluate(node: ast.expr, module: ModuleType) -> Any:
    for part in ast.walk(node):
        if not isinstance(part, _ALLOWED):
            raise CannotAsk(
                Diagnostic(
                    "SQ002",
                    f"`{ast.unparse(node)}` is not a literal or a name",
                    help="arguments of a target are literals, or names defined in its file",
                )
            )
    try:
        return eval(compile(ast.Expression(node), "<target>", "eval"), dict(vars(module)))
    except Exception as error:
        raise CannotAsk(Diagnostic("SQ002", f"`{ast.unparse(node)}` cannot be evaluated: {error}")) from None


def _check_arguments(function: Any, name: str, args: list[Any], kwargs: dict[str, Any]) -> None:
    try:
        signature = inspect.signature(function)
    except (TypeError, ValueError):
        return
    try:
        signature.bind(*args, **kwargs)
    except TypeError as error:
        required = [
            parameter.name
            for parameter in signature.parameters.values()
            if parameter.default is parameter.empty
            and parameter.kind not in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD)
        ]
        example = ", ".join(f"{item}=..." for item in required)
        raise CannotAsk(
            Diagnostic("SQ002", f"`{name}{signature}`: {error}", help=f"name it as `{name}({example})`")
        ) from None
