"""Pickles of tensors, checked opcode by opcode before torch reads them.

Torch's own reader for weights runs no foreign code, but calls dozens of functions of its own on whatever a file gives
them, and some of these take memory or time without bound, or end the process. Files of weights need few of them, each
with plain arguments, and keys that are text or numbers: nothing else is let through, and nothing is built here.

Opcodes: ``pickletools`` of the standard library. Layouts: ``torch/serialization.py`` of PyTorch 2.
"""

from __future__ import annotations

import enum
import io
import pickletools
import zipfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from agents.untrusted.weights import DIMENSIONS
from envs.errors import InputError, one_line, shown

MAX_PICKLE_BYTES = 2**22  # torch's pickles hold some 100 for each tensor, whose numbers lie elsewhere
MAX_PROTOCOL = 3  # the last one that torch's reader for weights takes
_HEADER_PICKLES = 3  # of the old layout, before what was saved: magic number, version, facts of the system
_MAX_KEYS = 2**16  # of dictionaries, in one pickle
_MAX_UNUSUAL_KEYS = 1_000  # of these the numbers that are not small and whole: a file may choose such of one hash
_MAX_COPIES = 64  # of dictionaries, in one pickle: into attributes, and counters


class Kind(enum.Enum):
    """The kind of a value; whole numbers, texts and globals are kept, and a tuple is that of its items."""

    PLAIN = enum.auto()  # other numbers, True, False, None
    LIST = enum.auto()
    DICT = enum.auto()
    TENSOR = enum.auto()


class _Text(str):
    """A text, which may be a key."""


class _Global(str):
    """Module and name of something that a pickle asks for."""


@dataclass(frozen=True)
class _Storage:
    """Numbers that lie elsewhere in the file."""

    key: str
    """Name of their record: decimal digits."""
    bytes: int
    """Bytes in all."""
    item: int
    """Bytes of one number."""


_RESULT_OF_CALL = {
    "collections OrderedDict": Kind.DICT,
    "collections Counter": Kind.DICT,
    "torch._utils _rebuild_tensor": Kind.TENSOR,
    "torch._utils _rebuild_tensor_v2": Kind.TENSOR,
    "torch._utils _rebuild_tensor_v3": Kind.TENSOR,
    "torch._utils _rebuild_parameter": Kind.TENSOR,
    "torch device": Kind.PLAIN,
    "torch Size": Kind.PLAIN,
}
_CONSTANT_OPCODES: dict[str, Any] = {"EMPTY_LIST": Kind.LIST, "EMPTY_DICT": Kind.DICT, "EMPTY_TUPLE": ()}
_CONSTANT_OPCODES |= dict.fromkeys(("BINFLOAT", "NONE", "NEWTRUE", "NEWFALSE"), Kind.PLAIN)
_INTEGER_OPCODES = ("BININT", "BININT1", "BININT2", "LONG1")
_TUPLE_OPCODES = {"TUPLE1": 1, "TUPLE2": 2, "TUPLE3": 3}
_TEXT_OPCODES = ("BINUNICODE", "SHORT_BINSTRING", "SHORT_BINUNICODE")


def check_pickles(data: bytes, path: Path) -> None:
    """Let pass a torch file whose pickles hold tensors and plain containers, and nothing else.

    ``data``: a zip, or torch's layout from before there were zips. Raises :class:`InputError` with one line.
    """
    try:
        if data[:2] == b"PK":
            with zipfile.ZipFile(io.BytesIO(data)) as archive:
                pickles = [name for name in archive.namelist() if name.rpartition("/")[2].lower() == "data.pkl"]
                if len(pickles) != 1:  # of several torch takes one or the other
                    raise ValueError(f"{len(pickles)} members are called data.pkl, expected one")
                for member in archive.infolist():
                    if "/data/" not in member.filename and member.file_size > MAX_PICKLE_BYTES:
                        _too_large(member.filename, path)
                _check(archive.read(pickles[0]), 0, path)
        else:
            at = 0
            for _ in range(_HEADER_PICKLES):
                at = _check(data, at, path)[0]
            at, saved = _check(data, at, path)
            keys = _check(data, at, path)[1]  # of the storages, whose numbers follow
            # What is not listed torch leaves as the memory was.
            if not keys.only_texts or keys.texts != {storage.key for storage in saved.storages}:
                raise ValueError("the numbers of its tensors are not those that it lists")
    except InputError:
        raise
    except (ValueError, LookupError, zipfile.BadZipFile) as error:
        why = "stack or memo underflow in its pickle" if isinstance(error, LookupError) else one_line(error)
        raise InputError(f"checkpoint {path}: damaged or not a torch file ({why})") from None


def not_tensors(path: Path, what: str = "") -> InputError:
    """Return the error for a file that holds code; ``what`` says which."""
    return InputError(
        f"checkpoint {path}: holds something other than tensors (code that a pickle would run{what}); "
        "it was not loaded; ask for a file with weights only"
    )


def _too_large(what: str, path: Path) -> None:
    size = f"{shown(what)} has more than {MAX_PICKLE_BYTES} bytes"
    raise InputError(f"checkpoint {path}: {size}; save the weights by themselves")


def _check(data: bytes, at: int, path: Path) -> tuple[int, _Reader]:
    """Check the pickle that begins at ``at``; return where it ends, and what was read.

    Raises :class:`InputError` for what files of weights have not, ValueError or LookupError for what is no pickle.
    """
    whole = len(data) - at <= MAX_PICKLE_BYTES
    reader, end = _Reader(path), 0
    protocol: Any = 0
    try:
        for opcode, argument, position in pickletools.genops(data[at : at + MAX_PICKLE_BYTES]):
            if opcode.name == "PROTO":
                protocol = argument
            elif opcode.name == "STOP":
                end = at + (position or 0) + 1
            elif opcode.name != "FRAME":
                reader.read(opcode.name, argument)
    except InputError:
        raise
    except ValueError:  # also where the bytes end before the pickle does
        if not whole:
            _too_large("its pickle, if it is one,", path)
        raise
    if protocol > MAX_PROTOCOL:
        raise InputError(
            f"checkpoint {path}: its pickle is of protocol {protocol}, expected at most {MAX_PROTOCOL}; "
            "save it again by torch.save without pickle_protocol"
        )
    return end, reader


class _Reader:
    """Follows the stack of a pickle, of kinds only."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._stack: list[Any] = []
        self._marks: list[list[Any]] = []
        self._memo: dict[int, Any] = {}
        self._words: set[str] = set()
        self._keys_seen = self._odd_keys = self._copies = 0
        self.texts: set[str] = set()
        self.storages: set[_Storage] = set()
        self._do: dict[str, Callable[[Any], object]] = {
            "GLOBAL": self._global,
            "STACK_GLOBAL": self._stack_global,
            "REDUCE": self._reduce,
            "BUILD": self._build,
            "BINPERSID": self._storage,
            "MARK": self._mark,
            "TUPLE": self._tuple,
            "APPEND": lambda _: self._drop(1),
            "APPENDS": lambda _: self._since_mark(),
            "SETITEM": lambda _: self._keys(self._drop(2)),
            "SETITEMS": lambda _: self._keys(self._since_mark()),
            "MEMOIZE": lambda _: self._remember(len(self._memo)),
            **dict.fromkeys(("BINPUT", "LONG_BINPUT"), self._remember),
            **dict.fromkeys(("BINGET", "LONG_BINGET"), lambda number: self._stack.append(self._memo[number])),
        }

    @property
    def only_texts(self) -> bool:
        """Return whether the pickle is one list of texts, and these are all its :attr:`texts`."""
        listing = {*_TEXT_OPCODES, "EMPTY_LIST", "MARK", "APPEND", "APPENDS", "BINPUT", "LONG_BINPUT", "MEMOIZE"}
        return self._words <= listing and self._stack == [Kind.LIST] and not self._marks

    def read(self, word: str, argument: Any) -> None:
        """Follow one opcode; raise :class:`InputError` for one that files of weights have not."""
        self._words.add(word)
        if word in _CONSTANT_OPCODES:
            self._stack.append(_CONSTANT_OPCODES[word])
        elif word in _INTEGER_OPCODES:
            self._stack.append(int(argument))
        elif word in _TEXT_OPCODES:
            self._stack.append(_Text(argument))
            self.texts.add(argument)
        elif word in _TUPLE_OPCODES:
            self._stack.append(tuple(self._drop(_TUPLE_OPCODES[word])))
        elif word in self._do:
            self._do[word](argument)
        else:
            self._refuse(f"its pickle has the opcode {word}")

    def _refuse(self, what: str) -> None:
        raise InputError(f"checkpoint {self._path}: {what}, which no file of weights has; not loaded")

    def _drop(self, count: int) -> list[Any]:
        if len(self._stack) < count:
            raise IndexError
        items = self._stack[-count:]
        del self._stack[-count:]
        return items

    def _mark(self, _: Any) -> None:
        self._marks.append(self._stack)
        self._stack = []

    def _since_mark(self) -> list[Any]:
        items, self._stack = self._stack, self._marks.pop()
        return items

    def _tuple(self, _: Any) -> None:
        items = tuple(self._since_mark())  # first: it changes what the stack is
        self._stack.append(items)

    def _remember(self, number: int) -> None:
        self._memo[number] = self._stack[-1]

    def _global(self, name: str) -> None:
        module, _, last = name.partition(" ")
        storage = module in ("torch", "torch.storage") and last.endswith("Storage") and last.isidentifier()
        number = module == "torch" and isinstance(getattr(torch, last, None), torch.dtype)
        if module == "torch._utils" and name not in _RESULT_OF_CALL and last.startswith("_rebuild"):
            kind = f"a tensor of another kind ({shown(last)}), expected dense ones with their numbers"
            raise InputError(f"checkpoint {self._path}: holds {kind}")
        if not (name in _RESULT_OF_CALL or storage or number):
            raise not_tensors(self._path, f": {shown(name.replace(' ', '.'))}")
        self._stack.append(_Global(name))

    def _stack_global(self, _: Any) -> None:
        names = self._drop(2)
        if [type(name) for name in names] != [_Text, _Text]:
            self._refuse("its pickle names something by what is no text")
        self._global(" ".join(names))

    def _reduce(self, _: Any) -> None:
        function, arguments = self._drop(2)
        if not (type(function) is _Global and type(arguments) is tuple and _needed(function, arguments)):
            self._refuse("its pickle makes an odd call")
        if arguments == (Kind.DICT,):
            self._copy()
        self._stack.append(_RESULT_OF_CALL[function])

    def _copy(self) -> None:
        self._copies += 1
        if self._copies > _MAX_COPIES:
            self._refuse(f"its pickle copies more than {_MAX_COPIES} dictionaries")

    def _build(self, _: Any) -> None:
        """Pass the attributes of a dictionary, as :meth:`torch.nn.Module.state_dict` sets them; nobody uses them."""
        target, state = self._drop(2)
        if not (target is state is Kind.DICT):
            self._refuse("its pickle sets attributes")
        self._copy()
        self._stack.append(target)

    def _storage(self, _: Any) -> None:
        (place,) = self._drop(1)
        kinds = [type(part) for part in place] if type(place) is tuple and len(place) in (5, 6) else []
        good = kinds[:5] == [_Text, _Global, _Text, _Text, int] and place[5:] in ((), (Kind.PLAIN,))
        # Under any other key torch may find several storages.
        if not good or place[0] != "storage" or not (place[2].isascii() and place[2].isdigit()):
            self._refuse("its pickle refers to something other than numbers")
        item = _item_size(place[1])
        storage = _Storage(str(place[2]), place[4] * item, item)
        self.storages.add(storage)
        self._stack.append(storage)

    def _keys(self, items: list[Any]) -> None:
        keys = items[::2]
        if any(type(key) is not _Text and not _numbers((key,)) for key in keys):
            self._refuse("a key is neither text nor a number")
        self._keys_seen += len(keys)
        self._odd_keys += sum(
            type(key) is not _Text and not (type(key) is int and 0 <= key < _MAX_KEYS) for key in keys
        )
        if self._keys_seen > _MAX_KEYS or self._odd_keys > _MAX_UNUSUAL_KEYS:
            self._refuse("its dictionaries have too many keys")


def _numbers(items: Sequence[Any]) -> bool:
    return all(item is Kind.PLAIN or type(item) is int for item in items)


def _item_size(name: str) -> int:
    """Return the bytes of one item of a storage class, or of a number type."""
    found = getattr(torch, name.partition(" ")[2], None)
    dtype = found if isinstance(found, torch.dtype) else getattr(found, "dtype", None)
    return dtype.itemsize if isinstance(dtype, torch.dtype) else 1  # an UntypedStorage counts bytes


def _needed(function: str, arguments: tuple[Any, ...]) -> bool:
    """Return whether files of weights call ``function`` with such arguments."""
    first, rest = arguments[:1], arguments[1:]
    if function not in _RESULT_OF_CALL or len(arguments) > 9:
        return False
    if function.startswith("collections "):
        return not arguments or (function == "collections Counter" and arguments == (Kind.DICT,))
    if function == "torch device":
        return bool(first) and type(first[0]) is _Text and _numbers(rest)
    if function == "torch Size":
        return bool(first) and _shape(first[0]) and not rest
    plain = all(item is Kind.DICT or type(item) is _Global or _numbers((item,)) or _shape(item) for item in rest)
    if function.endswith("_rebuild_parameter"):
        return first == (Kind.TENSOR,) and plain
    return plain and len(rest) >= 3 and _within(first[0], *rest[:3], *(x for x in rest if type(x) is _Global))


def _shape(item: Any) -> bool:
    return type(item) is tuple and len(item) <= DIMENSIONS and all(type(n) is int for n in item)


def _within(storage: Any, offset: Any, size: Any, stride: Any, *dtype: _Global) -> bool:
    """Return whether a tensor lies within its storage: torch makes the storage larger where it does not."""
    if not (type(storage) is _Storage and type(offset) is int and _shape(size) and _shape(stride)):
        return False
    if len(size) != len(stride) or min((offset, *size, *stride)) < 0 or len(dtype) > 1:
        return False
    last = offset + sum((n - 1) * step for n, step in zip(size, stride, strict=True)) if all(size) else -1
    return (last + 1) * (_item_size(dtype[0]) if dtype else storage.item) <= storage.bytes
