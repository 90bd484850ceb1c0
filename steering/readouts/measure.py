"""Moves told by readouts of activations: of the frames asked about, and of detours, summed by level.

A pass learns from frames of other mazes, chunk by chunk, at all sites at once, and is asked whenever it has seen as
many as one point of the learning curve takes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from agents.networks.policy import Policy, move_probabilities, to_input
from envs.actions import N_MOVES
from envs.maze import Maze
from steering.interventions.hooks import HookedPolicy
from steering.interventions.places import SIDE, units_around
from steering.interventions.sites import Site
from steering.readouts.frames import BATCH, TOLD, Asked, Frames, drawn_frames, joined, mazes_to_learn_from
from steering.readouts.learners import FOLDS, Moments, Readout, readout_by_products
from steering.records.readouts import POLICY, VIEWS, WHOLE, Told

STATES = 16  # frames of each maze learned from
MAZES = 16  # of a chunk
CHUNK = STATES * MAZES
NARROW = 2304  # numbers a frame up to which sums of products are kept
MOST_PRODUCTS = 2.2e11  # multiplications of a matrix of inner products: beyond, a whole map is not read
GROUP_BYTES = 2**30  # of sums and activations held at once
GROUPS = [slice(k * N_MOVES, (k + 1) * N_MOVES) for k in range(len(TOLD))]


@dataclass(frozen=True)
class Reading:
    """One readout to be learned: a site, seen whole or around the mouse."""

    site: Site
    """The site."""
    view: str
    """One of :data:`steering.records.readouts.VIEWS`."""

    @property
    def size(self) -> int:
        """Return the numbers of a frame that it is learned from."""
        return self.site.size if self.view == WHOLE else self.site.shape[0] * int(self.view[0]) ** 2

    @property
    def narrow(self) -> bool:
        """Return whether sums of products are kept, whatever the number of frames."""
        return self.view != WHOLE or self.size <= NARROW

    def fits(self, frames: int) -> bool:
        """Return whether it is learned from so many frames."""
        return self.narrow or frames**2 * self.size <= MOST_PRODUCTS


def readings_of(sites: Sequence[Site]) -> list[Reading]:
    """Return the readouts of some sites: around the mouse where a site is a map, and whole."""
    views = {site.name: VIEWS if site.units is not None else (WHOLE,) for site in sites}
    return [Reading(site, view) for site in sites for view in views[site.name]]


def reach(site: Site, view: str, world: int) -> int | None:
    """Return up to how many cells from the mouse a readout can see walls; None: the whole picture, or not known."""
    if view == WHOLE or site.units is None or site.receptive_field is None:
        return None
    jump, tile = site.units[1], SIDE / world
    side = site.receptive_field + (int(view[0]) - 1) * jump
    return int(np.floor((side / 2 + jump / 2) / tile + 0.5))  # the unit is centred up to half a step from the mouse


def features(reading: Reading, activations: Tensor, frames: Frames) -> Tensor:
    """Return what a readout sees of activations ``float32[n, *site]``: ``float32[n, size]``."""
    if reading.view == WHOLE:
        return activations.flatten(1)
    squares = units_around(reading.site, frames.mouse, frames.world, int(reading.view[0]))
    return squares.read(activations).flatten(1)


def learning_frames(mazes: Sequence[Maze], seed: int, *, pictures: bool = True) -> Iterator[Frames]:
    """Yield chunks of :data:`CHUNK` frames of mazes that are not among ``mazes``, without end."""
    source = mazes_to_learn_from(mazes, seed)
    while True:
        chosen = [next(source) for _ in range(MAZES)]
        yield drawn_frames(chosen, STATES, seed, "frames learned from", pictures=pictures)


def activations_of(policy: Policy, pictures: np.ndarray, sites: Sequence[str]) -> tuple[np.ndarray, dict[str, Tensor]]:
    """Return the policy's most likely moves ``int[n]`` and the activations ``float32[n, *site]`` of frames, by site."""
    hooked = HookedPolicy(policy.net)
    moves, seen = [], []
    for start in range(0, len(pictures), BATCH):
        logits, _, found = hooked.run(to_input(pictures[start : start + BATCH]), capture=sites)
        moves.append(move_probabilities(logits).numpy().argmax(1))
        seen.append(found)
    return np.concatenate(moves), {name: torch.cat([part[name].contiguous() for part in seen]) for name in sites}


def targets_of(frames: Frames, policy: np.ndarray) -> Tensor:
    """Return what readouts learn to tell, ``float32[n, 15]``: 1 for the move of each of :data:`TOLD`, else 0."""
    moves = {**frames.moves, POLICY: policy}
    return torch.from_numpy(np.concatenate([np.eye(N_MOVES, dtype=np.float32)[moves[whose]] for whose in TOLD], axis=1))


Done = Callable[[int, Reading, list[Told]], None]


def _stream(policy: Policy, mazes: Sequence[Maze], sites: Sequence[str], seed: int) -> Iterator[_Chunk]:
    """Yield chunk after chunk of what readouts learn from."""
    for frames in learning_frames(mazes, seed):
        moves, seen = activations_of(policy, frames.pictures, sites)
        yield _Chunk(frames, targets_of(frames, moves), seen)


class _Chunk(NamedTuple):
    """Frames to learn from."""

    frames: Frames
    """The frames."""
    targets: Tensor
    """What is to be told, ``float32[n, 15]``."""
    seen: dict[str, Tensor]
    """Activations by site."""


def learn_narrow(
    policy: Policy,
    mazes: Sequence[Maze],
    asked: Asked,
    readings: Sequence[Reading],
    sizes: Sequence[int],
    seed: int,
    done: Done,
    step: Callable[[], None],
) -> None:
    """Learn readouts of few numbers a frame, and ask them after as many frames as each of ``sizes`` says.

    Args:
        policy: whose activations are read.
        mazes: asked about; others are learned from.
        asked: what is asked.
        readings: to learn; of those around the mouse the sums of the widest serve the others.
        sizes: numbers of frames, rising, each a multiple of :data:`CHUNK`.
        seed: of the drawing.
        done: told the number of frames, the readout, and what it told level by level.
        step: called after every chunk.
    """
    sums = {held: Moments(held.size, N_MOVES * len(TOLD)) for held in map(_widest, readings)}
    sites = list(dict.fromkeys(reading.site.name for reading in readings))
    for number, chunk in enumerate(_stream(policy, mazes, sites, seed), 1):
        for held, moments in sums.items():
            moments.add(features(held, chunk.seen[held.site.name], chunk.frames), chunk.targets)
        step()
        if number * CHUNK in sizes:
            fitted = {reading: sums[_widest(reading)].fit(GROUPS, _columns(reading)) for reading in readings}
            _ask(policy, asked, fitted, number * CHUNK, done)
        if number * CHUNK >= max(sizes):
            return


def _widest(reading: Reading) -> Reading:
    return reading if reading.view == WHOLE else Reading(reading.site, VIEWS[-2])


def _columns(reading: Reading) -> np.ndarray | None:
    """Return which numbers of the widest square a readout sees; None: all."""
    if reading.view == WHOLE:
        return None
    side, own = int(VIEWS[-2][0]), int(reading.view[0])
    edge = (side - own) // 2
    numbers = np.arange(reading.site.shape[0] * side**2).reshape(-1, side, side)
    return numbers[:, edge : side - edge, edge : side - edge].reshape(-1)


def learn_wide(
    policy: Policy,
    mazes: Sequence[Maze],
    asked: Asked,
    readings: Sequence[Reading],
    size: int,
    seed: int,
    done: Done,
    step: Callable[[], None],
) -> None:
    """Learn readouts of more numbers a frame from ``size`` frames, by inner products; as :func:`learn_narrow`."""
    held = {reading: torch.empty(size, reading.size) for reading in readings}
    targets, sites = torch.empty(size, N_MOVES * len(TOLD)), [reading.site.name for reading in readings]
    for number, chunk in zip(range(size // CHUNK), _stream(policy, mazes, sites, seed), strict=False):
        rows = slice(number * CHUNK, (number + 1) * CHUNK)
        targets[rows] = chunk.targets
        for reading, kept in held.items():
            kept[rows] = features(reading, chunk.seen[reading.site.name], chunk.frames)
        step()
    fold = np.arange(size) // CHUNK % FOLDS
    fitted = {reading: readout_by_products(kept, targets, fold, GROUPS) for reading, kept in held.items()}
    del held
    _ask(policy, asked, fitted, size, done)


def _ask(policy: Policy, asked: Asked, readouts: Mapping[Reading, Readout], size: int, done: Done) -> None:
    """Tell ``done`` what readouts learned from ``size`` frames tell of frames and pairs."""
    sites = list(dict.fromkeys(reading.site.name for reading in readouts))

    def answers(frames: Frames) -> dict[Reading, np.ndarray]:
        found: dict[Reading, list[Tensor]] = {reading: [] for reading in readouts}
        for start in range(0, len(frames.mouse), CHUNK):
            part = frames.part(slice(start, start + CHUNK))
            _, seen = activations_of(policy, part.pictures, sites)
            for reading, readout in readouts.items():
                found[reading].append(readout.answers(features(reading, seen[reading.site.name], part)))
        return {reading: torch.cat(parts).numpy() for reading, parts in found.items()}

    on_frames = answers(asked.frames)
    on_pairs = {goal: answers(frames) for goal, frames in asked.pair_frames.items()}
    for reading in readouts:
        told = {whose: on_frames[reading][:, GROUPS[k]].argmax(1) for k, whose in enumerate(TOLD)}
        pairs = {goal: on_pairs[goal][reading][:, GROUPS[TOLD.index(goal)]].argmax(1) for goal in on_pairs}
        done(size, reading, asked.score(told, pairs))


def frames_to_learn(mazes: Sequence[Maze], size: int, seed: int) -> Frames:
    """Return the first ``size`` frames that readouts of ``mazes`` learn from, without pictures."""
    chunks = learning_frames(mazes, seed, pictures=False)
    return joined(next(chunks) for _ in range(size // CHUNK))
