"""Codec of procgen's serialized maze state: decode, validate, edit, encode.

The layout (:mod:`envs.simulator.state_layout`) is little-endian int32 and float32, strings behind their
length. A state that procgen dislikes aborts the whole process
(``fassert`` in C++), so nothing is handed to ``set_state`` that has not been through
:func:`decode`. Everything here is pure: bytes in, bytes out, no procgen needed.
"""

from __future__ import annotations

import dataclasses
import functools
import struct
from dataclasses import dataclass

import numpy as np

from envs.actions import Facing
from envs.errors import InputError
from envs.simulator.state_layout import (
    CHEESE,
    END_MARKER,
    ENTITY,
    ENTITY_FIELDS,
    FIELDS,
    GENERATORS,
    INT_MAX,
    IS_REFLECTED,
    MAX_BYTES,
    SPACE,
    TWISTER,
    WALL,
    WORLD_DIM,
    X,
    Y,
)


@dataclass(frozen=True)
class MazeState:
    """One decoded procgen maze state (procgen 0.10.7: ``Game::serialize``, ``MazeGame::serialize``).

    Use the properties and the ``with_*`` editors, which return a new state and raise :class:`InputError` for one that
    procgen would not take; instances never change. Cells here are (x, y) of the whole grid, from its bottom left.
    """

    values: dict[str, int | float | bytes | np.ndarray]
    """Every field of the layout in order: int32 and float32 as numbers, strings as bytes, ``entities`` as raw
    little-endian ``int32[n, 31]``, ``grid`` as ``int32[h, w]`` with row 0 at the bottom."""

    def integer(self, name: str) -> int:
        """Return the value of an int32 field, e.g. ``"current_level_seed"``."""
        value = self.values[name]
        assert isinstance(value, int)
        return value

    @property
    def grid(self) -> np.ndarray:
        """Return ``int32[world, world]``: wall 51, space 100, cheese 2; row 0 at the bottom."""
        grid = self.values["grid"]
        assert isinstance(grid, np.ndarray)
        return grid

    @property
    def entities(self) -> np.ndarray:
        """Return ``int32[n, 31]``: the raw four-byte fields; the mouse is entity 0."""
        entities = self.values["entities"]
        assert isinstance(entities, np.ndarray)
        return entities

    @property
    def mode(self) -> str:
        """Return ``"easy"`` or ``"hard"``."""
        return "hard" if self.integer("distribution_mode") == 1 else "easy"

    @property
    def world_dim(self) -> int:
        """Return the side of the whole grid in tiles."""
        return self.integer("world_dim")

    @functools.cached_property
    def maze_dim(self) -> int:
        """Return the side of the inner maze in tiles (odd): the world's, where cells around the inner maze are free."""
        dim = self.integer("maze_dim")
        margin = (self.world_dim - dim) // 2
        inner = self.grid[margin : margin + dim, margin : margin + dim]
        return dim if (inner != WALL).sum() == (self.grid != WALL).sum() else self.world_dim

    @functools.cached_property
    def margin(self) -> int:
        """Return the tiles of padding left of and below the inner maze."""
        return (self.world_dim - self.maze_dim) // 2

    @property
    def mouse(self) -> tuple[int, int]:
        """Return the outer grid cell (x, y) of the mouse."""
        x, y = self.entities[0, [X, Y]].view("<f4")
        return int(x), int(y)

    @property
    def facing(self) -> Facing:
        """Return the facing of the mouse sprite."""
        return Facing(int(self.entities[0, IS_REFLECTED]))

    @property
    def cheese(self) -> tuple[int, int] | None:
        """Return the outer grid cell (x, y) of the cheese, or None."""
        found = np.argwhere(self.grid == CHEESE)
        return (int(found[0, 1]), int(found[0, 0])) if len(found) else None

    def _edit(self, **changes: int | np.ndarray) -> MazeState:
        state = dataclasses.replace(self, values={**self.values, **changes})
        _check(state)
        return state

    def with_mouse(self, cell: tuple[int, int], facing: Facing) -> MazeState:
        """Return the state with the mouse on the outer cell ``cell``, looking ``facing``."""
        entities = self.entities.copy()
        entities[0, [X, Y]] = np.array([cell[0] + 0.5, cell[1] + 0.5], dtype="<f4").view("<i4")
        entities[0, IS_REFLECTED] = int(facing)
        return self._edit(entities=entities)

    def with_grid(self, grid: np.ndarray, maze_dim: int) -> MazeState:
        """Return the state with another grid ``int32[world, world]`` and inner size."""
        return self._edit(grid=np.array(grid, dtype="<i4"), maze_dim=int(maze_dim))

    def with_cheese(self, cell: tuple[int, int] | None) -> MazeState:
        """Return the state with its cheese moved to the outer cell ``cell``, or removed."""
        grid = np.where(self.grid == CHEESE, SPACE, self.grid).astype("<i4")
        if cell is not None:
            x, y = cell
            if not (0 <= x < self.world_dim and 0 <= y < self.world_dim) or grid[y, x] != SPACE:
                raise InputError(f"procgen state: cheese cannot lie on cell {cell}: not a free cell of the grid")
            grid[y, x] = CHEESE
        return self._edit(grid=grid)

    def with_level_seeds(self, low: int, high: int) -> MazeState:
        """Return the state whose next reset draws its level from ``low <= seed < high``."""
        if not 0 <= low < high <= INT_MAX:
            raise InputError(f"procgen state: level seeds {low}..{high} are not in 0 <= low < high <= {INT_MAX}")
        return self._edit(level_seed_low=int(low), level_seed_high=int(high), episodes_remaining=0)


def decode(data: bytes) -> MazeState:
    """Parse and validate serialized bytes of one procgen maze state.

    Raises :class:`InputError` that names the field, the offset and the value if anything is not
    what procgen 0.10.7 itself writes for a maze of mode easy or hard.
    """
    if not isinstance(data, bytes | bytearray | memoryview):
        raise InputError(f"procgen state: expected bytes, found {type(data).__name__}; pass what get_state returned")
    data = bytes(data)
    if len(data) > MAX_BYTES:
        raise InputError(f"procgen state: {len(data)} bytes is more than a maze state can have ({MAX_BYTES})")
    values: dict[str, int | float | bytes | np.ndarray] = {}
    offset = 0

    def take(count: int, name: str) -> bytes:
        nonlocal offset
        if count < 0 or offset + count > len(data):
            raise InputError(
                f"procgen state: truncated in {name} at byte {offset} of {len(data)}; take a fresh get_state"
            )
        offset += count
        return data[offset - count : offset]

    def take_count(name: str, bounds: tuple[float, float]) -> int:
        (count,) = struct.unpack("<i", take(4, name))
        _bounded(name + " length", count, bounds, offset - 4)
        return int(count)

    for name, kind, bounds in FIELDS:
        if kind == "i":
            (values[name],) = struct.unpack("<i", take(4, name))
        elif kind == "f":
            (values[name],) = struct.unpack("<f", take(4, name))
        elif kind == "s":
            values[name] = take(take_count(name, bounds), name)
            continue
        elif kind == "e":
            count = take_count(name, bounds)
            block = take(4 * ENTITY_FIELDS * count, name)
            values[name] = np.frombuffer(block, dtype="<i4").reshape(count, ENTITY_FIELDS)
            continue
        else:
            count = take_count(name, bounds)
            width, height = values["grid_width"], values["grid_height"]
            assert isinstance(width, int) and isinstance(height, int)
            if count != width * height:
                raise InputError(f"procgen state: grid of {width}x{height} holds {count} cells")
            values[name] = np.frombuffer(take(4 * count, name), dtype="<i4").reshape(height, width)
            continue
        value = values[name]
        assert isinstance(value, int | float)
        _bounded(name, value, bounds, offset - 4)
    if offset != len(data):
        raise InputError(f"procgen state: {len(data) - offset} bytes after the end marker")
    state = MazeState(values)
    _check(state)
    return state


def encode(state: MazeState) -> bytes:
    """Return the bytes of a state; ``encode(decode(data)) == data`` for every valid state."""
    parts: list[bytes] = []
    for name, kind, _ in FIELDS:
        value = state.values[name]
        if kind == "i":
            parts.append(struct.pack("<i", value))
        elif kind == "f":
            parts.append(struct.pack("<f", value))
        elif isinstance(value, bytes):
            parts.append(struct.pack("<i", len(value)) + value)
        else:
            assert isinstance(value, np.ndarray)
            count = len(value) if kind == "e" else value.size
            parts.append(struct.pack("<i", count) + value.astype("<i4").tobytes())
    return b"".join(parts)


def mouse_variants(
    state: MazeState, cells: np.ndarray, facings: np.ndarray, *, frames_only: bool = False
) -> list[bytes]:
    """Return encoded copies of ``state`` with the mouse at each outer cell ``int[n, 2]``, facing ``int[n]``.

    The fast path for rendering many states of one level: only three four-byte fields differ, so
    the rest is encoded once. ``frames_only`` leaves the texts of the random generators empty:
    half of procgen's time to show a state goes into reading their 1,872 numbers, and no frame
    depends on them. (Reading an empty text leaves a C++ generator as it was.) Such bytes are good
    for looking only, and :func:`decode` refuses them. Raises :class:`InputError` for a cell that is not free.
    """
    cells = np.asarray(cells, dtype=int).reshape(-1, 2)
    facings = np.asarray(facings, dtype=int).reshape(-1)
    inside = ((cells >= 0) & (cells < state.world_dim)).all(axis=1)
    if not inside.all() or (state.grid[cells[:, 1], cells[:, 0]] == WALL).any():
        raise InputError("procgen state: the mouse can only stand on free cells of the maze")
    if ((facings != 0) & (facings != 1)).any():
        raise InputError("procgen state: facing is 0 (left) or 1 (right)")
    blank: dict[str, int | float | bytes | np.ndarray] = dict.fromkeys(GENERATORS, b"") if frames_only else {}
    data = encode(MazeState({**state.values, **blank}))
    start = _entity_offset(data)
    head, tail = data[:start], data[start + 4 * ENTITY_FIELDS :]
    blocks = np.repeat(state.entities[:1], len(cells), axis=0).astype("<i4")
    blocks[:, [X, Y]] = np.ascontiguousarray(cells + 0.5, dtype="<f4").view("<i4")
    blocks[:, IS_REFLECTED] = facings
    return [head + block.tobytes() + tail for block in blocks]


def _entity_offset(data: bytes) -> int:
    offset = 0
    for name, kind, _ in FIELDS:
        if name == "entities":
            return offset + 4
        offset += 4 + (struct.unpack_from("<i", data, offset)[0] if kind == "s" else 0)
    raise AssertionError("the layout has an entity list")


def _bounded(name: str, value: float, bounds: tuple[float, float], offset: int) -> None:
    low, high = bounds
    if not low <= value <= high:  # also catches NaN
        raise InputError(f"procgen state: {name} at byte {offset} is {value}, expected {low} to {high}")


@functools.lru_cache(maxsize=16)  # most edits leave them as they are
def _is_twister(text: bytes) -> bool:
    found = TWISTER.fullmatch(text)
    # The last number indexes the generator's table in C++: past 624 it would read foreign memory.
    return found is not None and int(found[1]) <= 624


def _check(state: MazeState) -> None:
    """Check the relations between fields that procgen's C++ relies on; raise :class:`InputError`."""
    values = state.values
    if values["game_name"] != b"maze":
        raise InputError(f"procgen state: game {values['game_name']!r}, only 'maze' is supported")
    if state.integer("end_marker") & 0xFFFFFFFF != END_MARKER:
        raise InputError("procgen state: the end marker is missing; the bytes are damaged")
    for key in GENERATORS:
        text = values[key]
        assert isinstance(text, bytes)
        if not _is_twister(text):
            raise InputError(f"procgen state: {key} is not the text of a Mersenne twister (624 words and a position)")
    world = WORLD_DIM[state.mode]
    sizes = {state.world_dim, state.integer("main_width"), state.integer("main_height"), *state.grid.shape}
    if sizes != {world} or state.integer("grid_size") != world * world:
        raise InputError(f"procgen state: mode {state.mode} has a {world}x{world} grid, found sizes {sorted(sizes)}")
    if state.integer("level_seed_low") >= state.integer("level_seed_high"):
        # The next reset takes a random number modulo their difference.
        raise InputError("procgen state: level_seed_low is not below level_seed_high")
    dim = state.integer("maze_dim")
    if dim % 2 == 0 or dim > world:
        raise InputError(f"procgen state: maze_dim {dim} is not odd or exceeds the world ({world})")
    grid = state.grid
    known = (grid == WALL) | (grid == SPACE) | (grid == CHEESE)
    if not known.all():
        y, x = np.argwhere(~known)[0]
        raise InputError(f"procgen state: grid cell ({x}, {y}) holds object {grid[y, x]}; known: 2, 51, 100")
    if (grid == CHEESE).sum() > 1:
        raise InputError("procgen state: more than one cheese")
    as_floats = state.entities.view("<f4")
    for index, (name, kind, (low, high)) in enumerate(ENTITY):
        value = (as_floats if kind == "f" else state.entities)[0, index].item()
        if not low <= value <= high:
            raise InputError(f"procgen state: {name} of the mouse is {value}, expected {low} to {high}")
    x, y = as_floats[0, [X, Y]].tolist()
    if not (0 <= x < world and 0 <= y < world and x % 1 == 0.5 and y % 1 == 0.5):
        raise InputError(f"procgen state: the mouse at ({x}, {y}) is not centred on a grid cell")
    if grid[int(y), int(x)] == WALL:
        raise InputError(f"procgen state: the mouse stands in the wall at cell ({int(x)}, {int(y)})")
