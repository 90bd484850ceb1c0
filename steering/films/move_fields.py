"""Fields of moves, exact: the mean step of a policy from every cell, and the expected visits there.

A move vector is the mean step of one move, ``sum over moves of p(move) * step(move)``: (right, up) in
cells, at most 1 long. An attempt into a wall counts as made. Per cell there are two states (the mouse
looks left or right); they are shown one at a time, or averaged with the chain's expected visits.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from envs import chain
from envs.actions import STEP_OF_MOVE, Facing, Move
from envs.errors import InputError, counted, nearest
from envs.maze import Maze
from steering.experiments.outcome import HORIZON
from videos.fields import FieldPanel, Heat, field_drawing, signed_heat, visits_heat
from videos.plots import field_figure

if TYPE_CHECKING:  # fields that were computed before are drawn without torch
    import plotly.graph_objects as go

    from agents.networks.policy import Policy
    from steering.experiments.exact import LevelEvaluator
    from steering.interventions.edits import Intervention

VISITED = "visited"
FACINGS = (VISITED, *(facing.label for facing in Facing))
HEATS = ("visits", "path", "none")
_STEPS = np.array([STEP_OF_MOVE[move] for move in Move], dtype=np.float64)


def move_vectors(probabilities: np.ndarray) -> np.ndarray:
    """Return the mean steps ``float64[n, 2]`` (right, up) of move probabilities ``float64[n, 5]``."""
    return np.asarray(probabilities, dtype=np.float64) @ _STEPS


@dataclass(frozen=True)
class MoveField:
    """The move probabilities of one policy on one level."""

    title: str
    """Words above its panel."""
    maze: Maze
    """The level."""
    probabilities: np.ndarray
    """Probability of each move (left, right, up, down, noop), by state of ``maze.states``: ``float64[n_states, 5]``."""
    horizon: int
    """Most moves of an episode, 1 to 500."""

    def statistics(self) -> chain.ChainStatistics:
        """Return the exact statistics of the chain."""
        return chain.statistics(self.maze, self.probabilities, self.horizon)

    def vectors(self, facing: str = VISITED) -> np.ndarray:
        """Return the mean step from each cell.

        Args:
            facing: ``left``, ``right`` or ``visited``: the mean of both with the expected visits as weights (where no
                visit is expected, the plain mean).

        Returns:
            ``float64[n_cells, 2]`` (right, up), in cells; NaN on the cheese.

        Raises:
            InputError: for another facing.
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
        """Return ``float64[n_cells]``: expected number of moves made from each cell; on the cheese P(it is reached)."""
        stats = self.statistics()
        visits = stats.occupancy.reshape(-1, len(Facing)).sum(axis=1)
        if self.maze.cheese is not None:
            visits[self.maze.index[self.maze.cheese]] = stats.p_cheese
        return visits

    def path_probability(self) -> np.ndarray:
        """Return ``float64[n_cells]``: normalized path probability from the start to each cell, NaN at the start."""
        return np.array([chain.path_probability(self.maze, self.probabilities, cell) for cell in self.maze.cells])

    def heat(self, kind: str) -> Heat | None:
        """Return the map of ``visits`` or ``path``, None for ``none``; raises :class:`InputError` for another."""
        if kind not in HEATS:
            known = nearest(kind, [*HEATS, "map"])  # the last is drawn by the command itself
            raise InputError(f"unknown heat map {kind!r} of a field; {known}")
        if kind == "visits":
            return visits_heat(self.visits(), f"expected visits within {counted(self.horizon, 'move')}")
        if kind == "path":
            return Heat(self.path_probability(), "normalized path probability", (0.0, 1.0))
        return None


def level_fields(evaluator: LevelEvaluator, interventions: dict[str, Intervention]) -> list[MoveField]:
    """Return the clean field, then one per intervention, titled by its key; the level is drawn once."""
    maze, horizon = evaluator.maze, evaluator.horizon
    edited = evaluator.fields(list(interventions.values())) if interventions else []
    named = zip(["clean", *interventions], [evaluator.clean, *edited], strict=True)
    return [MoveField(title, maze, field.probabilities, horizon) for title, field in named]


def no_cheese_field(evaluator: LevelEvaluator) -> MoveField:
    """Return the field of the policy left alone on the level without its cheese."""
    world = evaluator.maze.without_cheese()
    return MoveField("cheese removed", world, evaluator.no_cheese.probabilities, evaluator.horizon)


def show_field(
    policy: Policy,
    maze: Maze,
    intervention: Intervention | None = None,
    *,
    facing: str = VISITED,
    heat: str = "visits",
    horizon: int = HORIZON,
    title: str = "steered",
) -> go.Figure:
    """Return the exact vector field of a policy on a level as a plotly figure, to be shown, styled or saved.

    Args:
        policy: its network is read by hooks and left as it was.
        maze: the level.
        intervention: edits of activations; None: the policy left alone, in one panel. Else there are three: clean,
            steered, and their difference.
        facing: ``left``, ``right``, or ``visited`` (the mean by expected visits).
        heat: ``visits`` (exact, expected), ``path`` (normalized path probability) or ``none``.
        horizon: most moves of an episode, 1 to 500.
        title: words above the steered panel.

    Raises:
        InputError: for an unknown facing or heat map, a bad horizon, or an edit that does not fit the network.

    Example:
        >>> figure = show_field(load_policy("region5"), Maze.from_level(26))
        >>> figure = figure.update_layout(title="region5, left alone")
    """
    from steering.experiments.exact import LevelEvaluator

    evaluator = LevelEvaluator(policy, maze, horizon)
    fields = level_fields(evaluator, {} if intervention is None else {title: intervention})
    told = "" if intervention is None else f": {intervention.describe()}"
    caption = f"{maze.label}, policy {policy.name}{told}"
    return field_figure(field_drawing(panels(*fields, facing=facing, heat=heat), caption, legend=True))


def panels(
    field: MoveField,
    other: MoveField | None = None,
    *,
    beside: MoveField | None = None,
    facing: str = VISITED,
    heat: str = "visits",
) -> list[FieldPanel]:
    """Return the panels to draw: ``field``, and with ``other`` that one and the difference other - field.

    The colours of fields share their key. Arrows of the difference, up to 2 long, are drawn at half the scale.
    ``beside`` is one more field, after the others.

    Raises:
        InputError: for an unknown facing or heat map, or two mazes.
    """
    shown = [each for each in (field, other, beside) if each is not None]
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
        found.insert(2, FieldPanel(title, field.maze, vectors[1] - vectors[0], change, unit=0.45))
    return found


def _change(field: MoveField, other: MoveField, heats: Sequence[Heat]) -> Heat:
    """Return the first heat map taken from the second; nothing on the cheese's cell where only one maze has a cheese.

    That cell counts something else then.
    """
    values = heats[1].values - heats[0].values
    for cell in (field.maze.cheese, other.maze.cheese):
        if cell is not None and field.maze.cheese != other.maze.cheese:
            values[field.maze.index[cell]] = np.nan
    return signed_heat(values, f"change of {heats[0].label}")
