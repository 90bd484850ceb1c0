"""Arrays of numbers in an ``.npz`` file that may be anybody's: kinds, shapes and sizes are checked first."""

from __future__ import annotations

import io
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from envs.errors import InputError, one_line, shown
from envs.stored.sources import read_file
from envs.stored.zip_members import zip_member


@dataclass(frozen=True)
class ArrayKind:
    """The arrays that a file may hold under a name."""

    kinds: str
    """Letters of numpy's kinds of numbers: ``i`` and ``u`` integers, ``f`` floats, ``b`` booleans."""
    shape: tuple[int | None, ...]
    """Length of each axis; null: any."""


def read_arrays(path: Path, expected: Mapping[str, ArrayKind], most: int, remedy: str) -> dict[str, np.ndarray]:
    """Return the arrays of an ``.npz`` file by name; others in it are left alone.

    Args:
        path: the file.
        expected: the arrays that it must hold.
        most: bytes that the file may have, and unpack to.
        remedy: what the user can do about another.

    Raises:
        InputError: in one line, if it is no such file; none of it is ever unpickled.
    """
    data = read_file(path, most, remedy)
    found = {}
    for name, kind in expected.items():
        found[name] = _array(zip_member(data, str(path), f"{name}.npy", most), kind, f"{path}: {name}", remedy)
    return found


def _array(data: bytes, kind: ArrayKind, where: str, remedy: str) -> np.ndarray:
    """Return the array in the bytes of an ``.npy`` file."""
    text = io.BytesIO(data)
    try:
        version = np.lib.format.read_magic(text)
        read = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}[version]
        shape, by_column, dtype = read(text)
    except Exception as error:  # numpy raises many kinds for a damaged header; none may escape
        raise InputError(f"{where}: not an array ({one_line(error)}); {remedy}") from None
    fits = len(shape) == len(kind.shape) and all(n in (None, m) for n, m in zip(kind.shape, shape, strict=True))
    if dtype.kind not in kind.kinds or not fits:
        wanted = tuple("n" if n is None else n for n in kind.shape)
        raise InputError(
            f"{where}: expected numbers of kind {' or '.join(kind.kinds)} and shape {shown(wanted)}, "
            f"got {shown(dtype)} of shape {shown(shape)}; {remedy}"
        )
    rest = data[text.tell() :]
    if any(n < 0 for n in shape) or len(rest) != math.prod(shape) * dtype.itemsize:
        raise InputError(f"{where}: {len(rest)} bytes for shape {shown(shape)} of {shown(dtype)}; {remedy}")
    return np.frombuffer(rest, dtype).reshape(shape, order="F" if by_column else "C")
