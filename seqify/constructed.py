"""The arguments that objects were constructed with, recorded while they are built."""

# A profile function sees each Python call of the thread at its entry, before the body could assign to a parameter.
#
#     Block(64, act=nn.ReLU)
#      └─ Block.__init__(block, 64, act=nn.ReLU)       recorded: the outermost `__init__` of `block`
#          ├─ nn.Module.__init__(block)                not: `block` is known already
#          └─ nn.Conv2d.__init__(conv, 64, 64, 3)      recorded: another object
#              └─ _ConvNd.__init__(conv, ...)          not: it is not what `nn.Conv2d(...)` calls
#
# Nothing is patched, so the objects are the ones that would be there without a recording. Objects are known by a weak
# reference beside their id: an id that is used again names another object.

from __future__ import annotations

import contextlib
import inspect
import sys
import weakref
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from types import CodeType, FrameType, FunctionType
from typing import Any

__all__ = ["Construction", "Constructions", "equals_default", "recording"]

_DEPTH = 6  # of the containers that are copied, so that what is appended to an argument later does not count


@dataclass(frozen=True)
class Construction:
    """
    One call of a class: `kind(*args, **kwargs)`.

    `args` hold what was given for parameters that can be positional, however it was given, up to the first one that
    is left out because it equals its default; `kwargs` hold the rest. Lists, dicts and sets are as they were then.
    """

    kind: type
    args: tuple[Any, ...]
    kwargs: Mapping[str, Any]


@dataclass(frozen=True)
class _Entry:
    """What an `__init__` was entered with."""

    target: Callable[[], Any]
    kind: type
    function: FunctionType
    given: dict[str, Any]


class Constructions:
    """The constructions of one recording."""

    def __init__(self) -> None:
        self._entries: dict[int, _Entry] = {}

    def of(self, value: object) -> Construction | None:
        """How an object was built; None where its construction was not seen."""
        entry = self._entries.get(id(value))
        if entry is None or entry.target() is not value:
            return None
        return _construction(entry)

    def note(self, frame: FrameType) -> None:
        """Record the entry of an `__init__`, unless it is one for an object that is known, or not its class's own."""
        code = frame.f_code
        names = code.co_varnames[: _parameter_count(code)]
        given = {name: frame.f_locals[name] for name in names if name in frame.f_locals}
        target = None
        if code.co_argcount:
            target = given.pop(names[0], None)
        elif code.co_flags & inspect.CO_VARARGS:  # def __init__(*args)
            star = names[code.co_kwonlyargcount]
            target, given[star] = next(iter(given[star]), None), given[star][1:]
        if target is None:
            return
        key = id(target)
        known = self._entries.get(key)
        if known is not None and known.target() is target:
            return
        kind = type(target)
        function = _own_init(kind, code)
        if function is None:
            return
        values = {name: _snapshot(value) for name, value in given.items()}
        self._entries[key] = _Entry(self._reference(key, target), kind, function, values)

    def _reference(self, key: int, target: object) -> Callable[[], Any]:
        try:
            return weakref.ref(target, partial(self._forget, key))
        except TypeError:  # no room for a weak reference, so the object is kept, and with it its id
            return lambda: target

    def _forget(self, key: int, reference: object) -> None:
        entry = self._entries.get(key)
        if entry is not None and entry.target is reference:
            del self._entries[key]


@contextlib.contextmanager
def recording() -> Iterator[Constructions]:
    """
    Record what is constructed in the block by this thread.

    >>> from torch import nn
    >>> with recording() as made:
    ...     layer = nn.Linear(4, 2, bias=False)
    >>> made.of(layer)
    Construction(kind=<class 'torch.nn.modules.linear.Linear'>, args=(4, 2, False), kwargs={})
    """
    made = Constructions()
    before: Any = sys.getprofile()
    note, chained = made.note, before if callable(before) else None

    def profile(frame: FrameType, event: Any, argument: Any) -> None:
        if event == "call" and frame.f_code.co_name == "__init__":
            note(frame)
        if chained is not None:
            chained(frame, event, argument)

    sys.setprofile(profile)
    try:
        yield made
    finally:
        sys.setprofile(chained)
        if before is not None and chained is None:
            before.enable()  # a cProfile.Profile, which is not called from Python


def equals_default(value: object, default: object) -> bool:
    """Whether a plain value is the default, type and all; other values only when they are the same object."""
    if value is default:
        return True
    if type(value) is not type(default):
        return False
    if isinstance(value, list | tuple) and isinstance(default, list | tuple):
        return len(value) == len(default) and all(map(equals_default, value, default))
    return isinstance(value, int | float | complex | str | bytes) and value == default


def _own_init(kind: type, code: CodeType) -> FunctionType | None:
    """The function that calling a class enters, when its code is the one given."""
    function = inspect.getattr_static(kind, "__init__", None)
    while function is not None:
        if getattr(function, "__code__", None) is code:
            return function if isinstance(function, FunctionType) else None
        function = getattr(function, "__wrapped__", None)
    return None


def _parameter_count(code: CodeType) -> int:
    stars = bool(code.co_flags & inspect.CO_VARARGS) + bool(code.co_flags & inspect.CO_VARKEYWORDS)
    return code.co_argcount + code.co_kwonlyargcount + stars


def _snapshot(value: Any, depth: int = _DEPTH) -> Any:
    """The value, or a copy of a built-in container that may change later; what is in it stays the same objects."""
    kind = type(value)
    if depth and kind in (list, tuple, set):
        return kind(_snapshot(item, depth - 1) for item in value)
    if depth and kind is dict:
        return {key: _snapshot(item, depth - 1) for key, item in value.items()}
    return value


def _construction(entry: _Entry) -> Construction:
    parameters = list(inspect.signature(entry.function, follow_wrapped=False).parameters.values())
    if parameters[0].kind is not parameters[0].VAR_POSITIONAL:
        parameters = parameters[1:]
    extra = next((entry.given.get(item.name, ()) for item in parameters if item.kind is item.VAR_POSITIONAL), ())
    differing = [
        item.name not in entry.given or not equals_default(entry.given[item.name], item.default) for item in parameters
    ]
    forced = [
        index
        for index, item in enumerate(parameters)
        if (item.kind is item.POSITIONAL_ONLY and differing[index]) or (item.kind is item.VAR_POSITIONAL and extra)
    ]
    args: list[Any] = []
    kwargs: dict[str, Any] = {}
    positional = True
    for index, item in enumerate(parameters):
        if item.kind is item.VAR_POSITIONAL:
            args += extra
        elif item.kind is item.VAR_KEYWORD:
            kwargs |= entry.given.get(item.name, {})
        elif item.name not in entry.given:
            continue
        elif not differing[index] and not any(later > index for later in forced):
            positional = False
        elif item.kind is item.KEYWORD_ONLY or not positional:
            kwargs[item.name] = entry.given[item.name]
        else:
            args.append(entry.given[item.name])
    return Construction(entry.kind, tuple(args), kwargs)
