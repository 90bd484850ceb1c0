"""Edits as a user types them, such as ``subtract,vector=cheese,site=relu3,channels=3+7,coefficient=1.5``.

A kind of edit, then fields ``name=value``, separated by commas. What a text leaves open (a vector to be taken in each
maze, a place such as ``cheese``, a site) is settled when it is applied to a policy and a maze: an ``Intervention``.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from torch import nn

from agents.networks.policy import MazePolicy, Policy
from envs.errors import RANGES, InputError, nearest, shown
from envs.maze import Cell, Maze
from steering.experiments.conditions import MOST_EDITS
from steering.experiments.levels import VectorSource
from steering.experiments.vector_kinds import read_vector, take_vector
from steering.interventions.edits import Intervention, ablate, add, clamp, patch, patch_place, subtract
from steering.interventions.places import blocks_around, check_map, units_in
from steering.interventions.sites import Site, find_site
from steering.interventions.vectors import SteeringVector, provenance

# The fields of each kind of edit.
FIELDS: dict[str, tuple[str, ...]] = {
    "subtract": ("vector", "site", "coefficient", "channels", "place"),
    "add": ("vector", "site", "coefficient", "channels", "place"),
    "patch": ("vector", "site", "channels", "place"),
    "ablate": ("site", "channels", "place"),
    "clamp": ("site", "index", "value"),
}
# Vectors taken in each maze: the kind of vector, and where the mouse stands.
TAKEN: dict[str, tuple[str, str]] = {
    "cheese": ("cheese", "start"),
    "cheese-mean": ("cheese", "mean"),
    "top-right": ("top-right", "start"),
    "activation": ("activation", "start"),
    "activation-mean": ("activation", "mean"),
}
PLACES = ("start", "cheese", "decision", "corner")
_LONGEST = 1_000  # characters of one
_CELL = re.compile(r"([0-9]{1,2})\+([0-9]{1,2})")
_NUMBERS = re.compile(r"[0-9]{1,6}(\+[0-9]{1,6})*")


@dataclass(frozen=True)
class EditText:
    """One edit as typed; its text is :func:`str` of it."""

    kind: str
    """One of :data:`FIELDS`."""
    vector: str | SteeringVector = "cheese"
    """One of :data:`TAKEN`, taken in each maze, or a vector read from a file; of no use to ``ablate`` and ``clamp``."""
    site: str | None = None
    """Name of the site; null: the one that the command is about."""
    coefficient: float = 1.0
    """Multiple of the vector subtracted or added, from -1e6 to 1e6."""
    channels: tuple[int, ...] | None = None
    """Indices of the site's first axis, each once; null: all."""
    place: str | None = None
    """One of :data:`PLACES` or a cell ``X+Y``: the 8x8-pixel blocks that touch its tile; null: the whole site."""
    index: tuple[int, ...] = ()
    """Position of the activation that is clamped, on each axis of the site."""
    value: float = 0.0
    """The activation clamped to."""

    @classmethod
    def parse(cls, text: str, read: Callable[[str], SteeringVector]) -> EditText:
        """Return the edit that a user typed.

        Args:
            text: a kind and fields.
            read: function that reads a vector that is none of :data:`TAKEN`, such as that of a file.

        Raises:
            InputError: in one line, for a part that is wrong.

        Example:
            >>> str(EditText.parse("ablate,channels=3+7", SteeringVector.load))
            'ablate,channels=3+7'
        """
        with _told(text):
            if len(text) > _LONGEST:
                raise InputError(f"{len(text):,} characters, at most {_LONGEST:,}")
            kind, *parts = (part.strip() for part in text.split(","))
            if kind not in FIELDS:
                raise InputError(f"begin with the kind of edit, not {shown(kind)!r}; {nearest(kind, FIELDS)}")
            found: dict[str, str] = {}
            for part in parts:
                name, equals, value = (piece.strip() for piece in part.partition("="))
                if not equals or not value:
                    raise InputError(f"{shown(part)!r} is no NAME=VALUE (names of files hold no comma here)")
                if name not in FIELDS[kind]:
                    raise InputError(f"{kind} has no {shown(name)!r}; it takes {', '.join(FIELDS[kind])}")
                if name in found:
                    raise InputError(f"{name} is given twice; give it once, or another --edit")
                found[name] = value
            for needed in {"clamp": ("index", "value"), "patch": ("vector",)}.get(kind, ()):
                if needed not in found:
                    raise InputError(f"{kind} needs {needed}=: add it")
            if kind in ("patch", "ablate") and "channels" in found and "place" in found:
                raise InputError(f"{kind} takes channels or a place, not both")
            fields: dict[str, object] = {name: _PARSED[name](value) for name, value in found.items() if name in _PARSED}
            if "vector" in found:
                fields["vector"] = found["vector"] if found["vector"] in TAKEN else read(found["vector"])
            return cls(kind, **fields)  # type: ignore[arg-type]

    def __str__(self) -> str:
        plain, parts = EditText(self.kind), [self.kind]
        for name in FIELDS[self.kind]:
            value = getattr(self, name)
            if value == getattr(plain, name) and not (name == "vector" or (self.kind == "clamp" and name != "site")):
                continue
            if isinstance(value, SteeringVector):
                value = value.digest
            elif isinstance(value, tuple):
                value = "+".join(map(str, value))
            parts.append(f"{name}={value!r}" if isinstance(value, float) else f"{name}={value}")
        return ",".join(parts)

    @property
    def fixed(self) -> str | None:
        """Return the site that it is made for; None: it takes the one that the command is about."""
        return self.vector.site if isinstance(self.vector, SteeringVector) else self.site

    def named(self, net: nn.Module) -> EditText:
        """Return the edit with the full name of its site; raise :class:`InputError` where that does not fit."""
        with _told(self):
            site = None if self.fixed is None else find_site(net, self.fixed).name
            if self.site is not None and site != find_site(net, self.site).name:
                raise InputError(f"the vector is of {site}, not of {self.site}; leave out site=")
            made = replace(self, site=site)
            if site is not None:
                made.check(find_site(net, site))
            return made

    def check(self, site: Site) -> None:
        """Raise :class:`InputError` if it asks for channels, a place or an activation that a site has not."""
        with _told(self):
            if self.channels is not None and max(self.channels) >= site.shape[0]:
                raise InputError(f"{site.name} has channels 0 to {site.shape[0] - 1}, not {max(self.channels)}")
            if self.place is not None:
                check_map(site)
            fits = len(self.index) == len(site.shape) and all(
                i < n for i, n in zip(self.index, site.shape, strict=True)
            )
            if self.kind == "clamp" and not fits:
                shape = "x".join(map(str, site.shape))
                raise InputError(f"index {'+'.join(map(str, self.index))} is not in the {shape} of {site.name}")

    def check_maze(self, maze: Maze) -> None:
        """Raise :class:`InputError` if a maze lacks the place, or the room for the vector, that it asks for."""
        with _told(self):
            try:
                if self.place is not None:
                    _cell_of(self.place, maze)
                if self.vector == "top-right":
                    maze.with_corner_path()
            except InputError as error:
                raise InputError(f"{maze.label}: {error}") from None

    def on(self, policy: Policy, maze: Maze, site: str | None = None, times: float = 1.0) -> Intervention:
        """Return the intervention that it is for a policy in a maze.

        Args:
            policy: vectors are taken of it, left alone.
            maze: the maze that vectors are taken in, and whose cells places mean.
            site: name of the site where the edit names none.
            times: factor of its coefficient.

        Raises:
            InputError: without a site, or where the maze or the site lacks what it asks for.
        """
        with _told(self):
            if self.fixed is None and not site:
                raise InputError("it has no site; add site=NAME, or --site (see `mazesteer sites`)")
            at = find_site(policy.net, self.fixed or site or "")
            self.check(at)
            if self.kind == "clamp":
                return clamp(at.name, self.index, self.value)
            blocks = None if self.place is None else blocks_around(maze, [_cell_of(self.place, maze)])
            if self.kind == "ablate" and blocks is None:
                return ablate(at.name, self.channels)
            vector = _zero(at) if self.kind == "ablate" else self._vector(policy, maze, at)
            if self.kind in ("subtract", "add"):
                part = _part(vector, at, self, blocks)
                return (subtract if self.kind == "subtract" else add)(part, self.coefficient * times)
            if blocks is not None:
                return patch_place(at, vector, [(int(row), int(column)) for row, column in np.argwhere(blocks)])
            return patch(vector, self.channels)

    def _vector(self, policy: Policy, maze: Maze, site: Site) -> SteeringVector:
        if isinstance(self.vector, SteeringVector):
            return self.vector
        kind, mouse = TAKEN[self.vector]
        return take_vector(policy, [maze], site.name, kind, mouse=VectorSource.parse(mouse))


def read_edits(texts: Sequence[str], policy: MazePolicy, *, foreign: bool = False) -> tuple[EditText, ...]:
    """Return the edits that a user typed, for an agent.

    Args:
        texts: one each; a vector that is none of :data:`TAKEN` is the path of a file.
        policy: the agent.
        foreign: take vectors of other agents too (:func:`steering.experiments.vector_kinds.read_vector`).

    Raises:
        InputError: in one line, for a text or a file that does not fit.
    """
    if len(texts) > MOST_EDITS:
        raise InputError(f"{len(texts)} --edit; give at most {MOST_EDITS}")

    def read(name: str) -> SteeringVector:
        if not os.path.exists(name):
            raise InputError(f"no file {shown(name)!r}, and no vector of that name; {nearest(name, TAKEN)}")
        return read_vector(Path(name), policy, foreign=foreign)

    return tuple(EditText.parse(text, read).named(policy.net) for text in texts)


def edited(
    edits: Iterable[EditText], policy: Policy, maze: Maze, site: str | None = None, times: float = 1.0
) -> Intervention:
    """Return the intervention of several edits (:meth:`EditText.on`), which act in their order."""
    return sum((edit.on(policy, maze, site, times) for edit in edits), Intervention())


@contextlib.contextmanager
def _told(edit: object) -> Iterator[None]:
    """Put the text of an edit before the message of an :class:`InputError`, once."""
    try:
        yield
    except InputError as error:
        if str(error).startswith("--edit "):
            raise
        raise InputError(f"--edit {str(edit)[:80]!r}: {error}") from None


def _channels(text: str) -> tuple[int, ...]:
    found = _several("channels", text)
    if len(set(found)) < len(found):
        raise InputError(f"channels={text}: give each once")
    for channel in found:
        RANGES["channel"].check(channel)
    return found


def _index(text: str) -> tuple[int, ...]:
    return _several("index", text)


def _several(name: str, text: str) -> tuple[int, ...]:
    if not _NUMBERS.fullmatch(text):
        raise InputError(f"{name}={shown(text)}: write numbers from 0 up joined by +, e.g. 3+7")
    return tuple(int(part) for part in text.split("+"))


def _place(text: str) -> str:
    if text == "mouse":
        raise InputError("place=mouse: an edit is the same in every state, the mouse is not; write start, or X+Y")
    if text not in PLACES and not _CELL.fullmatch(text):
        raise InputError(f"place={shown(text)}: write {', '.join(PLACES)} or a cell X+Y")
    return text


def _number(name: str) -> Callable[[str], float]:
    def parsed(text: str) -> float:
        with contextlib.suppress(ValueError):
            return RANGES["coefficient"].check(float(text))
        low, high = RANGES["coefficient"].low, RANGES["coefficient"].high
        raise InputError(f"{name}={shown(text)}: write a number from {low:,.0f} to {high:,.0f}")

    return parsed


_PARSED: dict[str, Callable[[str], object]] = {
    "site": str,
    "coefficient": _number("coefficient"),
    "channels": _channels,
    "place": _place,
    "index": _index,
    "value": _number("value"),
}


def _cell_of(place: str, maze: Maze) -> Cell:
    if found := _CELL.fullmatch(place):
        cell = int(found[1]), int(found[2])
        if max(cell) >= maze.dim:
            raise InputError(f"place={place}: not in this {maze.dim}x{maze.dim} maze; cells count from 0, bottom left")
        return cell
    named = {"start": maze.mouse, "cheese": maze.cheese, "decision": maze.decision_square, "corner": maze.corner}
    if (cell_named := named[place]) is None:
        what = "cheese" if place == "cheese" else "decision square"
        raise InputError(f"place={place}: this maze has no {what}; choose another place")
    return cell_named


def _zero(site: Site) -> SteeringVector:
    return SteeringVector(site.name, torch.zeros(site.shape), provenance(kind="zero"))


def _part(vector: SteeringVector, site: Site, edit: EditText, blocks: np.ndarray | None) -> SteeringVector:
    """Return a vector that is zero outside the channels and the place of an edit."""
    if edit.channels is None and blocks is None:
        return vector
    kept = torch.zeros(site.shape, dtype=torch.bool)
    kept[list(range(site.shape[0]) if edit.channels is None else edit.channels)] = True
    if blocks is not None:
        kept &= torch.from_numpy(units_in(site, blocks))
    where = [f"channels {','.join(map(str, edit.channels))}"] if edit.channels is not None else []
    where += [f"place {edit.place}"] if edit.place is not None else []
    kind = f"{vector.kind}, {' and '.join(where)}"
    facts = provenance(kind=kind, of=[json.loads(vector.provenance)])
    return SteeringVector(site.name, torch.where(kept, vector.tensor, 0.0), facts)
