"""Fields of moves, exact: where a policy drives the mouse from every cell, and how often it is there.

A move vector is the mean step of one move, ``sum over moves of p(move) * step(move)``: (right, up) in
cells, at most 1 long. An attempt into a wall counts as made. Per cell there are two states (the mouse
looks left or right); they are shown one at a time, or averaged with the chain's expected visits.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import nn

from agents.networks.impala import OBS_SHAPE
from envs import chain
from envs.actions import STEP_OF_MOVE, Facing, Move
from envs.errors import InputError, nearest
from envs.maze import Maze
from steering.experiments.exact import LevelEvaluator
from steering.interventions.edits import Intervention
from steering.interventions.graph import data_inputs, trace
from steering.interventions.sites import INPUT, find_site
from videos.fields import FieldPanel, Heat, signed_heat, visits_heat

VISITED = "visited"
FACINGS = (VISITED, *(facing.label for facing in Facing))
HEATS = ("visits", "path", "none")
_STEPS = np.array([STEP_OF_MOVE[move] for move in Move], dtype=np.float64)


def move_vectors(probabilities: np.ndarray) -> np.ndarray:
    """``float64[n, 5]`` move probabilities to ``float64[n, 2]`` mean steps (right, up)."""
    return np.asarray(probabilities, dtype=np.float64) @ _STEPS


@dataclass(frozen=True)
class MoveField:
    """One policy on one level: ``probabilities`` ``float64[n_states, 5]`` in ``maze``, within ``horizon`` moves."""

    title: str
    maze: Maze
    probabilities: np.ndarray
    horizon: int

    def statistics(self) -> chain.ChainStatistics:
        """The exact statistics of the chain."""
        return chain.statistics(self.maze, self.probabilities, self.horizon)

    def vectors(self, facing: str = VISITED) -> np.ndarray:
        """``float64[n_cells, 2]``: mean step from each cell, NaN on the cheese.

        ``facing`` is ``left``, ``right`` or ``visited``: the mean of both with the expected visits as
        weights (where no visit is expected, the plain mean). Raises :class:`InputError` for another.
        """
        if facing not in FACINGS:
            raise InputError(f"unknown facing {facing!r} of a field; {nearest(facing, FACINGS)}")
        steps = move_vectors(self.probabilities).reshape(-1, len(Facing), 2)
        if facing == VISITED:
            weights = self.statistics().occupancy.reshape(-1, len(Facing))
            total = weights.sum(axis=1, keepdims=True)
            weights = np.where(total > 0, weights / np.where(total > 0, total, 1.0), 1 / len(Facing))
            mean = (weights[..., None] * steps).sum(axis=1)
        else:
            mean = steps[:, [each.label for each in Facing].index(facing)].copy()
        if self.maze.cheese is not None:
            mean[self.maze.index[self.maze.cheese]] = np.nan
        return mean

    def visits(self) -> np.ndarray:
        """``float64[n_cells]``: expected number of moves made from each cell; on the cheese P(it is reached)."""
        stats = self.statistics()
        visits = stats.occupancy.reshape(-1, len(Facing)).sum(axis=1)
        if self.maze.cheese is not None:
            visits[self.maze.index[self.maze.cheese]] = stats.p_cheese
        return visits

    def path_probability(self) -> np.ndarray:
        """``float64[n_cells]``: normalized path probability from the start to each cell, NaN at the start."""
        return np.array([chain.path_probability(self.maze, self.probabilities, cell) for cell in self.maze.cells])

    def heat(self, kind: str) -> Heat | None:
        """``visits``, ``path`` or ``none`` as colours; raises :class:`InputError` for another."""
        if kind not in HEATS:
            raise InputError(f"unknown heat map {kind!r} of a field; {nearest(kind, HEATS)}")
        if kind == "visits":
            return visits_heat(self.visits(), f"expected visits within {self.horizon} moves")
        if kind == "path":
            return Heat(self.path_probability(), "normalized path probability", (0.0, 1.0))
        return None


def level_fields(evaluator: LevelEvaluator, interventions: dict[str, Intervention]) -> list[MoveField]:
    """The clean field, then one per intervention, titled by its key; the level is drawn once."""
    maze, horizon = evaluator.maze, evaluator.horizon
    edited = evaluator.fields(list(interventions.values())) if interventions else []
    named = zip(["clean", *interventions], [evaluator.clean, *edited], strict=True)
    return [MoveField(title, maze, field.probabilities, horizon) for title, field in named]


def no_cheese_field(evaluator: LevelEvaluator) -> MoveField:
    """The policy left alone on the level without its cheese."""
    world = evaluator.maze.without_cheese()
    return MoveField("no cheese", world, evaluator.no_cheese.probabilities, evaluator.horizon)


def panels(field: MoveField, other: MoveField | None = None, *, facing: str = VISITED, heat: str = "visits"
) -> list[FieldPanel]:  # fmt: skip
    """Panels to draw: ``field``, and with ``other`` that one and the difference other - field of one level.

    The colours of the first two share their key. Arrows of the difference, up to 2 long, are drawn at
    half the scale. Raises :class:`InputError` for an unknown facing or heat map, or two mazes.
    """
    shown = [field] if other is None else [field, other]
    if any(each.maze.walls != field.maze.walls for each in shown):
        raise InputError("fields: the two are of different mazes; compare fields of one level")
    vectors = [each.vectors(facing) for each in shown]
    heats = [each.heat(heat) for each in shown]
    known = [each for each in heats if each is not None]
    if heat == "visits":
        joint = visits_heat(np.concatenate([each.values for each in known]))
        heats = [dataclasses.replace(each, limits=joint.limits) for each in known]
    found = [FieldPanel(each.title, each.maze, v, h) for each, v, h in zip(shown, vectors, heats, strict=True)]
    if other is not None:
        change = _change(field, other, known) if known else None
        title = f"{other.title} - {field.title} (arrows at half scale)"
        found.append(FieldPanel(title, field.maze, vectors[1] - vectors[0], change, unit=0.45))
    return found


def _change(field: MoveField, other: MoveField, heats: Sequence[Heat]) -> Heat:
    """Second minus first; nothing where only one of them has a cheese, whose cell counts something else."""
    values = heats[1].values - heats[0].values
    for cell in (field.maze.cheese, other.maze.cheese):
        if cell is not None and field.maze.cheese != other.maze.cheese:
            values[field.maze.index[cell]] = np.nan
    return signed_heat(values, f"change of {heats[0].label}")


@dataclass(frozen=True)
class Alignment:
    """Where a site's units look in the frame: unit (row, column) has its middle at pixel ``start + step * index``.

    Pixels are counted at their middles, the first 0, rows from the top.
    """

    start: float
    step: float

    def share(self, index: float) -> float:
        """A unit's middle as a share of the frame's side, 0 (left or top edge) to 1."""
        return (self.start + self.step * index + 0.5) / OBS_SHAPE[1]


def alignment(net: nn.Module, site: str) -> Alignment:
    """Alignment of a site with maps ``[channels, rows, columns]``.

    Kernels, strides and paddings on the way are followed through the traced graph; a stride-2 pooling
    with padding 1 puts its units on every second pixel, not between two. A network that cannot be
    traced has its maps stretched over the frame. Raises :class:`InputError` for a site without maps.
    """
    found = find_site(net, site)
    if len(found.shape) != 3:
        raise InputError(
            f"site {found.name}: its shape {found.shape} is no stack of maps; choose one up to the last block"
        )
    try:
        graph = trace(net).graph
    except InputError:
        step = OBS_SHAPE[1] / found.shape[1]
        return Alignment((step - 1) / 2, step)
    modules = dict(net.named_modules())
    at: dict[object, Alignment] = {}
    for node, inputs in data_inputs(graph).items():
        here = at[inputs[0]] if inputs else Alignment(0.0, 1.0)
        module = modules.get(str(node.target)) if node.op == "call_module" else None
        if isinstance(module, nn.Conv2d | nn.MaxPool2d | nn.AvgPool2d):
            size, stride, padding = (_first(value) for value in (module.kernel_size, module.stride, module.padding))
            reach = (size - 1) * _first(getattr(module, "dilation", 1))
            here = Alignment(here.start + (reach / 2 - padding) * here.step, here.step * stride)
        at[node] = here
        if str(node.target) == found.name or (not inputs and found.name == INPUT):
            return here
    raise InputError(f"site {found.name}: not found in the network's graph")


def _first(value: Any) -> int:
    return int(value[0] if isinstance(value, tuple) else value)


def heat_map(tensor: torch.Tensor, channel: int | None = None) -> np.ndarray:
    """One map ``float64[rows, columns]`` of a ``[channels, rows, columns]`` activation or vector.

    A channel as it is, or (None) the norm over channels. Raises :class:`InputError` for a channel it lacks.
    """
    if tensor.ndim != 3:
        raise InputError(f"heat map: shape {tuple(tensor.shape)} is no stack of maps; choose a convolutional site")
    if channel is None:
        return torch.linalg.vector_norm(tensor.double(), dim=0).numpy()
    if not 0 <= channel < len(tensor):
        raise InputError(f"heat map: channel {channel} of {len(tensor)}; give 0 to {len(tensor) - 1}")
    return tensor[channel].double().numpy()
