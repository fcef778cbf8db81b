"""The comparison of a module that a text builds with the live one that the text is to stand for."""

# live: the module of the model. built: what the text gives.
#
# First pass, down both trees at once: classes, children, parameters, buffers. It pairs the tensors, so that one that is
# tied must be tied alike:
#
#     live   a.weight ──┐          built   a.weight ──┐
#            b.weight ──┴─ one             b.weight ──┴─ one as well
#
# Second pass, over the pairs of modules: all else that they hold, and their hooks. A tensor there is either one of the
# pairs or compared by its values, because no checkpoint carries it. Functions are the same when they have the same
# code and the same values around them.

from __future__ import annotations

import functools
import types
import weakref
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from seqify.emit.layout import join
from seqify.emit.literal import CannotWrite

if TYPE_CHECKING:
    import torch
    from torch import nn

__all__ = ["NeedsValues", "require_same"]

_BOOKKEEPING = {"_is_hf_initialized"}  # notes that libraries keep for themselves, and no forward reads


class NeedsValues(Exception):
    """A tensor outside the state_dict has to be compared by its values, and the meta device has none."""


def require_same(live: Any, built: Any, path: str, values: bool | None = True, grads: bool = True) -> None:
    """
    Compare what a text gave with the live object.

    Args:
        live: the module or value of the model.
        built: what the text gave.
        path: the dotted path of the live object.
        values: whether tensors outside the state_dict are compared by value; None raises where one would have to be.
        grads: whether `requires_grad` counts.

    Raises:
        CannotWrite: the first difference, with the path of the part that differs.
        NeedsValues: there is a tensor to compare, and `values` is None.
    """
    from torch import nn

    comparison = _Comparison(values, grads)
    if isinstance(live, nn.Module) and isinstance(built, nn.Module):
        comparison.tree(live, built, path)
    same = comparison.same(live, built, path)
    for one, other, where in comparison.modules:
        comparison.attributes(one, other, where)
    if not same:
        raise CannotWrite(path, f"`{path or type(live).__name__}` {_changed(live, built)}")


class _Comparison:
    def __init__(self, values: bool | None, grads: bool) -> None:
        self.values, self.grads = values, grads
        self.modules: list[tuple[nn.Module, nn.Module, str]] = []
        self._seen: dict[tuple[int, int], tuple[Any, Any]] = {}
        self._tensors: dict[int, torch.Tensor] = {}  # by the id of the live one, its partner
        self._partners: dict[int, torch.Tensor] = {}  # and the way back

    def tree(self, live: nn.Module, built: nn.Module, path: str) -> None:
        """The first pass."""
        if self._known(live, built):
            return
        if not _same_class(live, built):
            raise CannotWrite(path, f"{_name(path)} {_changed(live, built)}")
        self.modules.append((live, built, path))
        mine, theirs = live._modules, built._modules
        self._names(list(mine), list(theirs), path)
        for name, child in mine.items():
            other, where = theirs[name], join(path, name)
            if child is None or other is None:
                if child is not other:
                    raise CannotWrite(where, f"`{where}` {_changed(child, other)}")
                continue
            self.tree(child, other, where)
        self._names(list(live._parameters), list(built._parameters), path)
        for name, tensor in live._parameters.items():
            self._pair(tensor, built._parameters[name], join(path, name))
        self._names(list(live._buffers), list(built._buffers), path)
        for name, buffer in live._buffers.items():
            self._pair(buffer, built._buffers[name], join(path, name))
            if (name in live._non_persistent_buffers_set) != (name in built._non_persistent_buffers_set):
                raise CannotWrite(path, f"only one of `{join(path, name)}` and what is built would be in a state_dict")

    def _names(self, mine: list[str], theirs: list[str], path: str) -> None:
        for name in mine:
            if name not in theirs:
                raise CannotWrite(path, f"`{join(path, name)}` was added after construction")
        for name in theirs:
            if name not in mine:
                raise CannotWrite(path, f"`{join(path, name)}` was removed after construction")
        if mine != theirs:
            raise CannotWrite(path, f"the parts of {_name(path)} stand in another order than it builds them in")

    def _pair(self, live: torch.Tensor | None, built: torch.Tensor | None, path: str) -> None:
        if live is None or built is None:
            if live is not built:
                raise CannotWrite(path, f"`{path}` {_changed(live, built)}")
            return
        for what in ("shape", "dtype", "requires_grad") if self.grads else ("shape", "dtype"):
            one, other = getattr(live, what), getattr(built, what)
            if one != other:
                raise CannotWrite(path, f"`{path}.{what}` {_changed(one, other)}")
        if type(live) is not type(built):
            raise CannotWrite(path, f"`{path}` {_changed(live, built)}")
        if self._tensors.setdefault(id(live), built) is not built:
            raise CannotWrite(path, f"`{path}` is shared with another part, and built it would not be")
        if self._partners.setdefault(id(built), live) is not live:
            raise CannotWrite(path, f"`{path}` is not shared with another part, and built it would be")
        if live._backward_hooks and not built._backward_hooks:
            raise CannotWrite(path, f"`{path}` carries a hook")

    def attributes(self, live: nn.Module, built: nn.Module, path: str) -> None:
        """The second pass: what two paired modules hold besides their parts."""
        plain = _internals()
        for name in [key for key in vars(live) if "hooks" in key and key in plain]:
            mine, theirs = ({} if held is None else held for held in (vars(live)[name], vars(built)[name]))
            hooks, known = list(mine.values()), list(theirs.values())
            if len(hooks) != len(known) or not all(map(self._same_at(path), hooks, known)):
                kind = name.strip("_").removesuffix("s").replace("_", " ")
                reason = f"carries a {kind}" if len(hooks) > len(known) else f"lacks or changed a {kind}"
                raise CannotWrite(path, f"{_name(path)} {reason}")
        buffers = live._non_persistent_buffers_set
        mine, theirs = ({k: v for k, v in vars(one).items() if k not in plain} for one in (live, built))
        self._same_state(mine, theirs, path)
        for name in buffers:
            held, other = live._buffers[name], built._buffers[name]
            if held is not None and other is not None and not self._equal(held, other):
                raise CannotWrite(path, f"the values of `{join(path, name)}` differ, and no state_dict carries them")

    def _same_state(self, mine: dict[str, Any], theirs: dict[str, Any], path: str) -> None:
        """Raise at the first attribute that only one side has, or that differs."""
        for name in [*mine, *theirs]:
            where = join(path, name)
            if name in _BOOKKEEPING:
                continue
            if name not in theirs:
                what = "was set on the instance" if name == "forward" else "was set after construction"
                raise CannotWrite(path, f"`{where}` {what}")
            if name not in mine:
                raise CannotWrite(path, f"`{where}` was deleted after construction")
            if not self.same(mine[name], theirs[name], where):
                raise CannotWrite(path, f"`{where}` {_changed(mine[name], theirs[name])}")

    def _same_at(self, path: str) -> Any:
        return lambda live, built: self.same(live, built, path)

    def same(self, live: Any, built: Any, path: str) -> bool:
        """Whether two values are the same, part by part."""
        import torch
        from torch import nn

        if live is built:
            return True
        if isinstance(live, nn.Module) and isinstance(built, nn.Module):
            self.tree(live, built, path)
            return True
        if isinstance(live, types.FunctionType) and isinstance(built, types.FunctionType):
            return self._same_function(live, built, path)
        if type(live) is not type(built) or isinstance(live, type):
            return False
        if isinstance(live, torch.Tensor):
            known = self._tensors.get(id(live))
            if known is not None or id(built) in self._partners:
                return known is built
            return live.shape == built.shape and live.dtype == built.dtype and self._equal(live, built)
        if isinstance(live, torch.device):
            return self.values is not True or bool(live == built)
        if isinstance(live, float):
            return live == built or (live != live and built != built)
        if isinstance(live, int | str | bytes | complex | torch.dtype):
            return bool(live == built)
        if self._known(live, built):
            return True
        return self._same_parts(live, built, path)

    def _same_parts(self, live: Any, built: Any, path: str) -> bool:
        if isinstance(live, Mapping):
            if list(live) != list(built) or not all(self.same(live[key], built[key], path) for key in live):
                return False
        elif isinstance(live, list | tuple):
            if len(live) != len(built) or not all(map(self._same_at(path), live, built)):
                return False
        elif isinstance(live, functools.partial):
            one, other = ((item.func, item.args, item.keywords) for item in (live, built))
            return self.same(one, other, path)
        elif isinstance(live, types.MethodType):
            return live.__func__ is built.__func__ and self.same(live.__self__, built.__self__, path)
        elif isinstance(live, weakref.ref):
            return self.same(live(), built(), path)
        elif isinstance(live, set | frozenset | slice | range) or not (hasattr(live, "__dict__") or _slots(live)):
            try:
                return bool(live == built)
            except Exception:
                return False
        self._same_state(_state(live), _state(built), path)
        return True

    def _same_function(self, live: types.FunctionType, built: types.FunctionType, path: str) -> bool:
        if live.__code__ is not built.__code__ or live.__globals__ is not built.__globals__:
            return False
        if self._known(live, built):
            return True
        return self.same(_around(live), _around(built), path)

    def _equal(self, live: torch.Tensor, built: torch.Tensor) -> bool:
        if self.values is None:
            raise NeedsValues
        if not self.values or live is built:
            return True
        if live.layout != built.layout or live.is_meta or built.is_meta:
            return False
        other = built.detach().to(live.device)
        return bool(((live == other) | ((live != live) & (other != other))).all())

    def _known(self, live: Any, built: Any) -> bool:
        """Whether the two are being compared, or have been; both are kept, so that their ids stay theirs."""
        key = (id(live), id(built))
        if key in self._seen:
            return True
        self._seen[key] = (live, built)
        return False


@functools.cache
def _internals() -> frozenset[str]:
    """The attributes that every module has."""
    from torch import nn

    return frozenset(vars(nn.Module()))


def _same_class(live: nn.Module, built: nn.Module) -> bool:
    from torch.nn.utils.parametrize import is_parametrized

    one, other = type(live), type(built)
    if is_parametrized(live) and is_parametrized(built):  # such a class is made for each instance
        return one.__bases__ == other.__bases__ and one.__name__ == other.__name__
    return one is other


def _slots(value: object) -> list[str]:
    found = [vars(kind).get("__slots__", ()) for kind in type(value).__mro__]
    names = [name for slots in found for name in ((slots,) if isinstance(slots, str) else slots)]
    return [name for name in names if name not in ("__dict__", "__weakref__")]


def _state(value: Any) -> dict[str, Any]:
    """All that an object holds in attributes."""
    held = {name: getattr(value, name) for name in _slots(value) if hasattr(value, name)}
    return held | getattr(value, "__dict__", {})


def _around(function: types.FunctionType) -> list[Any]:
    """What a function's result depends on besides its code and its module."""
    cells = [cell.cell_contents for cell in function.__closure__ or () if cell != types.CellType()]
    return [function.__defaults__, function.__kwdefaults__, vars(function), cells]


def _name(path: str) -> str:
    return f"`{path}`" if path else "the module"


def _changed(live: Any, built: Any) -> str:
    from torch import nn

    one, other = _show(live), _show(built)
    if one == other:
        return f"is {one}, and the one that would be built is not known to be the same"
    word = "replaced" if isinstance(live, nn.Module) else "changed"
    return f"was {word} after construction: it is {one}, and built it would be {other}"


def _show(value: Any) -> str:
    from torch import nn

    if isinstance(value, nn.Module):
        return f"`{type(value).__name__}`"
    if isinstance(value, type | types.FunctionType | types.BuiltinFunctionType):
        return f"`{value.__name__}`"
    text = repr(value)
    return text if len(text) <= 60 and "\n" not in text else f"a {type(value).__name__}"
