"""Pickles read as trees of plain values and of names; nothing is looked up, imported or called.

A pickle is a program for a small machine. This one follows it opcode by opcode (``pickletools`` of the standard
library): numbers, texts, bytes, lists, tuples and dictionaries become themselves, whatever a pickle asks for by name a
:class:`Name`, and whatever it would make by calling one a :class:`Made`, with the arguments of the call. Sets lose
their items, which might be slow to put into one.
"""

from __future__ import annotations

import pickletools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

MAX_OPCODES = 100_000  # of one pickle; a space of observations takes some 150
_CONSTANTS: dict[str, Callable[[], Any]] = {
    "NONE": lambda: None,
    "NEWTRUE": lambda: True,
    "NEWFALSE": lambda: False,
    "EMPTY_LIST": list,
    "EMPTY_DICT": dict,
    "EMPTY_TUPLE": tuple,
    "EMPTY_SET": lambda: Made(Name("builtins.set"), ()),
}
_VALUES = {"BININT", "BININT1", "BININT2", "LONG1", "BINFLOAT"}
_VALUES |= {"SHORT_BINUNICODE", "BINUNICODE", "BINUNICODE8", "SHORT_BINBYTES", "BINBYTES", "BINBYTES8", "BYTEARRAY8"}
_SMALL_TUPLES = {"TUPLE1": 1, "TUPLE2": 2, "TUPLE3": 3}
_FILLED = {f"cloudpickle.cloudpickle._{kind}_setstate" for kind in ("class", "function")}
_NOTHING = {"PROTO", "FRAME", "STOP"}


@dataclass(frozen=True)
class Name:
    """Something that a pickle asks for by name, such as a class."""

    text: str
    """Module and name with a dot between them."""


@dataclass(eq=False, repr=False)
class Made:
    """Something that a pickle would make by a call."""

    function: Any
    """What would be called, as a rule a :class:`Name`."""
    arguments: Any
    """Arguments of the call, as a rule a tuple."""
    state: Any = None
    """What would be set on the result; None: nothing."""


def read_pickle(data: bytes) -> Any:
    """Return the tree of a pickle.

    Args:
        data: one pickle of protocol 2 to 5.

    Returns:
        None, bool, int, float, str, bytes, list, tuple, dict with keys of text, :class:`Name` or :class:`Made`. Parts
        may be shared and, in a hostile pickle, contain themselves: look at what is expected, and walk through nothing
        else.

    Raises:
        ValueError: it is damaged, too long, or holds what this reader does not know, in one line.
    """
    reader = _Reader()
    try:
        for count, (opcode, argument, _) in enumerate(pickletools.genops(data)):
            if count > MAX_OPCODES:
                raise ValueError(f"more than {MAX_OPCODES} opcodes")
            reader.read(opcode.name, argument)
        (found,) = reader.stack
    except (LookupError, TypeError, AttributeError, OverflowError) as error:
        raise ValueError(f"its pickle is damaged ({type(error).__name__})") from None
    return found


class _Reader:
    """The stack and the memory of a pickle."""

    def __init__(self) -> None:
        self.stack: list[Any] = []
        self._marks: list[list[Any]] = []
        self._memory: dict[int, Any] = {}
        self._do: dict[str, Callable[[Any], object]] = {
            "GLOBAL": lambda text: self.stack.append(Name(text.replace(" ", "."))),
            "STACK_GLOBAL": lambda _: self._name(),
            "REDUCE": lambda _: self._make(),
            "NEWOBJ": lambda _: self._make(),
            "BUILD": lambda _: self._build(),
            "MARK": lambda _: self._mark(),
            "TUPLE": lambda _: self._tuple(),
            "POP": lambda _: self._pop(),
            "FROZENSET": lambda _: self._frozen_set(),
            "ADDITEMS": lambda _: self._since_mark(),
            "APPEND": lambda _: self._extend(self._drop(1)),
            "APPENDS": lambda _: self._extend(self._since_mark()),
            "SETITEM": lambda _: self._set(self._drop(2)),
            "SETITEMS": lambda _: self._set(self._since_mark()),
            "MEMOIZE": lambda _: self._remember(len(self._memory)),
            **dict.fromkeys(("BINPUT", "LONG_BINPUT"), self._remember),
            **dict.fromkeys(("BINGET", "LONG_BINGET"), lambda number: self.stack.append(self._memory[number])),
        }

    def read(self, word: str, argument: Any) -> None:
        """Follow one opcode."""
        if word in _CONSTANTS:
            self.stack.append(_CONSTANTS[word]())
        elif word in _VALUES:
            self.stack.append(bytes(argument) if isinstance(argument, bytearray) else argument)
        elif word in _SMALL_TUPLES:
            self.stack.append(tuple(self._drop(_SMALL_TUPLES[word])))
        elif word in self._do:
            self._do[word](argument)
        elif word not in _NOTHING:
            raise ValueError(f"its pickle has the opcode {word}")

    def _drop(self, count: int) -> list[Any]:
        if len(self.stack) < count:
            raise IndexError
        items = self.stack[-count:]
        del self.stack[-count:]
        return items

    def _mark(self) -> None:
        self._marks.append(self.stack)
        self.stack = []

    def _since_mark(self) -> list[Any]:
        items, self.stack = self.stack, self._marks.pop()
        return items

    def _tuple(self) -> None:
        items = tuple(self._since_mark())  # first: it changes what the stack is
        self.stack.append(items)

    def _frozen_set(self) -> None:
        self._since_mark()
        self.stack.append(Made(Name("builtins.frozenset"), ()))

    def _pop(self) -> None:
        """Drop what cloudpickle drops after it: the call that fills a class or function which it wrote out as code."""
        (dropped,) = self._drop(1)
        if not (isinstance(dropped, Made) and isinstance(dropped.function, Name) and dropped.function.text in _FILLED):
            raise ValueError("its pickle makes something that it does not hold")

    def _remember(self, number: int) -> None:
        self._memory[number] = self.stack[-1]

    def _name(self) -> None:
        module, name = self._drop(2)
        if not (isinstance(module, str) and isinstance(name, str)):
            raise TypeError
        self.stack.append(Name(f"{module}.{name}"))

    def _make(self) -> None:
        function, arguments = self._drop(2)
        self.stack.append(Made(function, arguments))

    def _build(self) -> None:
        (state,) = self._drop(1)
        if isinstance(self.stack[-1], Made):
            self.stack[-1].state = state
        else:
            raise ValueError("its pickle changes what it asks for by name")

    def _extend(self, items: list[Any]) -> None:
        if not isinstance(self.stack[-1], list):
            raise TypeError
        self.stack[-1].extend(items)

    def _set(self, items: list[Any]) -> None:
        target, keys = self.stack[-1], items[::2]
        if not isinstance(target, dict) or len(items) % 2:
            raise TypeError
        if not all(isinstance(key, str) for key in keys):  # numbers may be chosen to be slow as keys
            raise ValueError("a key in its pickle is no text")
        target.update(zip(keys, items[1::2], strict=True))
