"""Edits as a user types them, such as ``subtract,vector=cheese,site=relu3,channels=3+7,coefficient=1.5``.

A kind of edit, then fields ``name=value``, separated by commas. What a text leaves open (a vector to be taken in each
maze, a place such as ``cheese``, a site) is settled when it is applied to a policy and a maze: an ``Intervention``.
"""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from torch import nn

from agents.networks.policy import MazePolicy, Policy
from envs.errors import InputError, nearest, shown
from envs.maze import Maze
from steering.experiments.conditions import MOST_EDITS
from steering.experiments.edit_fields import (
    FIELDS,
    MOUSE,
    RANDOM,
    READ,
    TAKEN,
    check_together,
    place_blocks,
    source,
    source_maze,
)
from steering.experiments.levels import VectorSource
from steering.experiments.vector_kinds import read_vector, take_vector
from steering.interventions.edit_kinds import Ablate, AddVector, AtMouse, Patch
from steering.interventions.edits import Intervention, ablate, add, clamp, patch, patch_place, subtract
from steering.interventions.places import check_map, units_in
from steering.interventions.sites import Site, find_site
from steering.interventions.vectors import SteeringVector, provenance, random_vector
from steering.statistics.seeding import generator

_LONGEST = 1_000  # characters of one


@dataclass(frozen=True)
class EditText:
    """One edit as typed; its text is :func:`str` of it."""

    kind: str
    """One of :data:`steering.experiments.edit_fields.FIELDS`."""
    vector: str | SteeringVector = "cheese"
    """One of :data:`TAKEN`, taken in each maze, or a vector read from a file; of no use to ``ablate`` and ``clamp``."""
    taken: str = "start"
    """Where a vector of :data:`TAKEN` is taken: the mouse's ``start``, a cell ``X+Y`` that it stands on, the ``mean``
    over all states, or ``level:N``, the start of another level."""
    seed: int = 0
    """Seed of the noise of ``random``; of no use to other vectors."""
    site: str | None = None
    """Name of the site; null: the one that the command is about."""
    coefficient: float = 1.0
    """Multiple of the vector subtracted or added, from -1e6 to 1e6."""
    channels: tuple[int, ...] | None = None
    """Indices of the site's first axis, each once; null: all."""
    place: str | None = None
    """One of :data:`PLACES` or a cell ``X+Y`` (:func:`place_blocks`); null: the whole site."""
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
            fields: dict[str, object] = {name: READ[name](value) for name, value in found.items() if name in READ}
            check_together(kind, found)
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
                if self.place not in (None, MOUSE):
                    place_blocks(self.place, maze)
                if "taken" in FIELDS[self.kind] and self.vector in TAKEN:
                    where = source_maze(self.taken, maze)
                    if self.vector == "top-right":
                        where.with_corner_path()
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
            if self.place == MOUSE:
                whole = replace(self, place=None).on(policy, maze, at.name, times)
                there = (edit for edit in whole.edits if isinstance(edit, AddVector | Patch | Ablate))
                return Intervention(tuple(AtMouse.of(edit, at, maze) for edit in there))
            blocks = None if self.place is None else place_blocks(self.place, maze)
            if self.kind == "ablate" and blocks is None:
                return ablate(at.name, self.channels)
            vector = _zero(at) if self.kind == "ablate" else self.vector_in(policy, maze, at.name)
            if self.kind in ("subtract", "add"):
                part = _part(vector, at, self, blocks)
                return (subtract if self.kind == "subtract" else add)(part, self.coefficient * times)
            if blocks is not None:
                return patch_place(at, vector, [(int(row), int(column)) for row, column in np.argwhere(blocks)])
            return patch(vector, self.channels)

    def vector_in(self, policy: Policy, maze: Maze, site: str) -> SteeringVector:
        """Return the vector that it subtracts, adds or puts in, whole and once: the same edit with it is the same.

        Args:
            policy: vectors are taken of it, left alone.
            maze: the maze that is edited.
            site: name of the site.

        Raises:
            InputError: where the vector cannot be taken.
        """
        if isinstance(self.vector, SteeringVector):
            return self.vector
        with _told(self):
            kind, mouse = TAKEN[self.vector]
            stands = source(self.taken) if mouse == "start" else VectorSource(mouse)
            vector = take_vector(policy, [source_maze(self.taken, maze)], site, kind, mouse=stands)
            if self.vector == RANDOM:
                return random_vector(vector, generator(self.seed, maze.level or 0, vector.site, 0))
            return vector


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
