"""Probes: what a linear readout of one site's activations says about cheese and next move.

Every frame is a state of a level with a cheese of its own. Levels are split into folds, so a maze is either learned
from or asked about. All probes are ridge regressions in closed form: the linear ones through the Gram matrix, which
gives the same predictions as the fit on the activations themselves (representer theorem) at the cost of the number of
frames, not of units; the convolutional ones through sums of products over positions.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from agents.networks.policy import Policy, batches, move_probabilities, to_input
from envs.actions import MOVE_OF_STEP
from envs.errors import InputError
from envs.maze import Cell, Maze, State
from envs.simulator.state_layout import WALL
from steering.experiments.levels import skip_reason
from steering.interventions.hooks import HookedPolicy
from steering.probe_maps import holding, position_cells, predicted_positions
from steering.statistics.seeding import generator

FOLDS = 5
MOVES = ("cheese", "corner", "policy")  # whose next move
KERNELS = (1, 3)
# Of the ridge, relative to the mean squared length of a centred row.
PENALTIES = 10.0 ** np.arange(-4.0, 3.0)
LEAST_SPREAD = 0.1
REACH = 3  # cells around the mouse that are kept
MAP_CONTROLS = 3  # fits over all positions cost more
_COLUMNS = 4096


@dataclass(frozen=True)
class ProbeData:
    """Frames and what probes are asked about them, ``n`` in all.

    ``frames``: ``uint8[n, 64, 64, 3]``; ``maze``, ``fold``: ``int[n]``, which maze, and the fold it belongs to;
    ``cheese``: ``int[n, 2]`` cells of procgen's whole grid; ``moves``: ``int[n]`` each, next shortest-path move to
    the cheese and to the top-right corner, and the policy's own most likely move; ``mouse``, ``corner``: ``int[n, 2]``
    cells like ``cheese``; ``around``: ``bool[n, 7, 7]``, which cells are open up to ``REACH`` rows and columns from the
    mouse, ``[row, column]`` from the lower left; ``world``: the grid's side.
    """

    frames: np.ndarray
    maze: np.ndarray
    fold: np.ndarray
    cheese: np.ndarray
    moves: Mapping[str, np.ndarray]
    mouse: np.ndarray
    corner: np.ndarray
    around: np.ndarray
    world: int

    def per_maze(self, values: np.ndarray) -> np.ndarray:
        """Sums ``float[n_mazes, ...]`` of what is given per frame, ``[n, ...]``."""
        sums = np.zeros((self.maze.max() + 1, *values.shape[1:]))
        np.add.at(sums, self.maze, values)
        return sums


def drawn_states(maze: Maze, count: int, seed: int) -> list[State]:
    """``count`` states (all, if there are fewer), off the cheese and the corner, as (seed, level) say."""
    states = [state for state in maze.states if state.cell not in (maze.cheese, maze.corner)]
    order = generator(seed, maze.level or 0, "probe states", 0).permutation(len(states))
    return [states[i] for i in order[:count]]


def drawn_cheese(maze: Maze, state: State, rng: np.random.Generator) -> Maze:
    """``maze`` with its cheese on a cell drawn from those with which it still qualifies for a sweep.

    Without this all frames of a level would share one cheese, and a probe would see a few hundred cheeses in all.
    """
    for index in rng.permutation(len(maze.cells)):
        cell = maze.cells[index]
        if cell not in (state.cell, maze.mouse) and not skip_reason(moved := maze.with_cheese(cell)):
            return moved
    return maze


def probe_data(policy: Policy, mazes: Sequence[Maze], states: int, seed: int) -> ProbeData:
    """``states`` frames of each maze, in ``FOLDS`` folds of whole mazes.

    Raises :class:`InputError` for fewer than two mazes a fold.
    """
    # Slow to import, and sweeps and their reports need only the names of this module.
    from sklearn.model_selection import GroupKFold

    if len(mazes) < 2 * FOLDS:
        raise InputError(
            f"probes need at least {2 * FOLDS} levels ({FOLDS} folds of whole mazes), found {len(mazes)}; "
            "take more with --n-levels"
        )
    frames, owner, around = [], [], []
    cells: dict[str, list[np.ndarray]] = {"mouse": [], "cheese": [], "corner": []}
    moves: dict[str, list[int]] = {"cheese": [], "corner": []}
    for number, maze in enumerate(mazes):
        rng = generator(seed, maze.level or 0, "probe cheese", 0)
        open_ = np.pad(maze.state.grid != WALL, REACH)
        for state in drawn_states(maze, states, seed):
            shown = drawn_cheese(maze, state, rng)
            assert shown.cheese is not None
            frames.append(shown.observations([state]))
            owner.append(number)
            for name, cell in (("mouse", state.cell), ("cheese", shown.cheese), ("corner", shown.corner)):
                cells[name].append(shown.outer([cell])[0])
            x, y = cells["mouse"][-1]
            around.append(open_[y : y + 2 * REACH + 1, x : x + 2 * REACH + 1])
            for name, goal in (("cheese", shown.cheese), ("corner", shown.corner)):
                moves[name].append(_move(*shown.path(state.cell, goal)[:2]))
    maze_of, shown_frames = np.array(owner), np.concatenate(frames)
    fold = np.zeros(len(maze_of), dtype=int)
    for number, (_, held_out) in enumerate(GroupKFold(FOLDS).split(maze_of, groups=maze_of)):
        fold[held_out] = number
    hooked = HookedPolicy(policy.net)
    chosen = [move_probabilities(hooked.run(to_input(part))[0]).argmax(1).numpy() for part in batches(shown_frames)]
    labels = {
        "cheese": np.array(moves["cheese"]),
        "corner": np.array(moves["corner"]),
        "policy": np.concatenate(chosen),
    }
    mouse, cheese, corner = (np.array(cells[name]) for name in ("mouse", "cheese", "corner"))
    world = mazes[0].state.world_dim
    return ProbeData(shown_frames, maze_of, fold, cheese, labels, mouse, corner, np.array(around), world)


def _move(cell: Cell, neighbour: Cell) -> int:
    return int(MOVE_OF_STEP[(neighbour[0] - cell[0], neighbour[1] - cell[1])])


def shuffled(data: ProbeData, rng: np.random.Generator) -> ProbeData:
    """The control: labels dealt out anew among the frames of each fold, so any set of folds is shuffled in itself."""
    order = np.arange(len(data.fold))
    for fold in np.unique(data.fold):
        members = np.flatnonzero(data.fold == fold)
        order[members] = rng.permutation(members)
    moves = {name: labels[order] for name, labels in data.moves.items()}
    return dataclasses.replace(data, cheese=data.cheese[order], moves=moves)


def activations(policy: Policy, frames: np.ndarray, site: str) -> Tensor:
    """Activations ``float32[n, *site]`` of frames ``uint8[n, 64, 64, 3]``."""
    hooked = HookedPolicy(policy.net)
    parts = [hooked.run(to_input(part), capture=[site])[2][site].contiguous() for part in batches(frames)]
    return torch.cat(parts)


# -- linear probes --------------------------------------------------------------------------------


def gram(features: Tensor, train: np.ndarray) -> Tensor:
    """Inner products ``float64[n, n]`` of rows standardised by mean and spread of the ``train`` rows (``bool[n]``).

    A column's spread counts as at least ``LEAST_SPREAD`` of the columns' root mean square: a unit that is silent but
    on one frame in a hundred would else decide what is said of the next such frame.
    """
    chosen = torch.from_numpy(train)
    parts = features.split(_COLUMNS, dim=1)
    moments = [torch.std_mean(columns[chosen], dim=0, correction=0) for columns in parts]
    least = LEAST_SPREAD * float(torch.cat([spread for spread, _ in moments]).square().mean().sqrt())
    total = torch.zeros(len(features), len(features), dtype=torch.float64)
    for columns, (spread, mean) in zip(parts, moments, strict=True):
        varies = spread > 1e-5 * mean.abs()  # or it is rounding
        rows = (columns - mean) * torch.where(varies, 1 / spread.clamp(min=least), 0.0)
        total += rows @ rows.T
    return total


def ridge(products: Tensor, train: np.ndarray, test: np.ndarray, targets: Tensor, penalties: np.ndarray) -> Tensor:
    """Predictions ``float64[p, n_test, t]`` of ridge regressions with a free constant, one for each penalty.

    ``products``: inner products ``[n, n]`` of all rows; ``targets``: ``[n, t]``. A penalty counts in units of the
    mean squared length of the centred training rows.
    """
    learn, ask = torch.from_numpy(np.flatnonzero(train)), torch.from_numpy(np.flatnonzero(test))
    among, across = products[learn][:, learn], products[ask][:, learn]
    column = among.mean(0)
    centred = among - column - column[:, None] + column.mean()
    across = across - across.mean(1, keepdim=True) - column + column.mean()
    unit = float(centred.diagonal().mean()) or 1.0
    mean, eye = targets[learn].mean(0), torch.eye(len(learn), dtype=torch.float64)
    found = []
    for penalty in penalties:
        factor = torch.linalg.cholesky(centred + float(penalty) * unit * eye)
        found.append(across @ torch.cholesky_solve(targets[learn] - mean, factor) + mean)
    return torch.stack(found)


def linear_predictions(
    features: Tensor, targets: Mapping[str, np.ndarray], fold: np.ndarray, penalties: np.ndarray = PENALTIES
) -> dict[str, np.ndarray]:
    """Held-out predictions ``float64[n, t]`` for each of ``targets`` (``[n, t]``) from ``features`` ``[n, d]``.

    Each fold is predicted from the others; the penalty is chosen for each target by the squared error in a second
    round of cross-validation among these.
    """
    ends = np.cumsum([0, *(target.shape[1] for target in targets.values())])
    parts = {name: slice(a, b) for name, a, b in zip(targets, ends, ends[1:], strict=False)}
    joined = torch.from_numpy(np.concatenate(list(targets.values()), axis=1)).double()
    found = torch.zeros_like(joined)
    for outer in np.unique(fold):
        train, test = fold != outer, fold == outer
        products = gram(features, train)
        errors = torch.zeros(len(penalties), joined.shape[1], dtype=torch.float64)
        for inner in np.unique(fold[train]):
            guessed = ridge(products, train & (fold != inner), fold == inner, joined, penalties)
            errors += (guessed - joined[fold == inner]).square().sum(1)
        held_out = ridge(products, train, test, joined, penalties)
        for part in parts.values():
            found[test, part] = held_out[int(errors[:, part].sum(1).argmin())][:, part]
    return {name: found[:, part].numpy() for name, part in parts.items()}


# -- one site -------------------------------------------------------------------------------------


def site_scores(
    policy: Policy, data: ProbeData, site: str, controls: Sequence[ProbeData], kept: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    """What all probes at one site say, as plain numbers, for real labels and for shuffled ones (means over the draws).

    ``moves``: by target, ``told`` ``[n]``, the moves told of held-out frames, and ``control`` ``[n]``, the share of
    draws that told the true one. ``cell``: ``distance`` and ``control`` ``[n]``, cells between the cheese and the
    linear probe's guess (control: root mean square over the draws); ``mean`` ``[n]``, from the mean cell of the
    training frames. ``map``: by kernel, ``hits`` and ``distance`` ``[n_mazes]`` with their ``control_*``; None where
    the site is no map. ``kept``: parts of these, by name, known from before.
    """
    return feature_scores(activations(policy, data.frames, site), data, controls, kept)


def feature_scores(
    features: Tensor, data: ProbeData, controls: Sequence[ProbeData], kept: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    """:func:`site_scores` of activations ``float32[n, ...]``."""
    found = dict(kept or {})
    if "map" not in found:
        sets, is_map = [data, *controls[:MAP_CONTROLS]], features.ndim == 4
        found["map"] = {f"{k}x{k}": _map_scores(features, data, sets, k) for k in KERNELS} if is_map else None
    return {**_linear_scores(features.flatten(1), data, [data, *controls]), **found}


def _linear_scores(features: Tensor, data: ProbeData, sets: Sequence[ProbeData]) -> dict[str, Any]:
    targets: dict[str, np.ndarray] = {}
    classes = {name: np.unique(data.moves[name]) for name in MOVES}
    for number, labels in enumerate(sets):
        targets[f"cell {number}"] = labels.cheese.astype(float)
        for name in MOVES:
            targets[f"{name} {number}"] = (labels.moves[name][:, None] == classes[name]).astype(float)
    guesses = linear_predictions(features, targets, data.fold)
    moves = {}
    for name in MOVES:
        told, *rest = [classes[name][guesses[f"{name} {k}"].argmax(1)] for k in range(len(sets))]
        moves[name] = {"told": told.tolist(), "control": np.mean(np.stack(rest) == data.moves[name], axis=0).tolist()}
    distance, *others = [_distance(guesses[f"cell {k}"], data.cheese) for k in range(len(sets))]
    means = np.array([data.cheese[data.fold != fold].mean(0) for fold in data.fold])
    cell = {"distance": distance, "control": np.sqrt(np.mean(np.square(others), axis=0)),
            "mean": _distance(means, data.cheese)}  # fmt: skip
    return {"moves": moves, "cell": {name: values.tolist() for name, values in cell.items()}}


def _map_scores(features: Tensor, data: ProbeData, sets: Sequence[ProbeData], kernel: int) -> dict[str, Any]:
    shape = (int(features.shape[2]), int(features.shape[3]))
    masks = [holding(labels.cheese, shape, data.world) for labels in sets]
    cells = position_cells(shape, data.world)
    hits, distances = [], []
    for positions in predicted_positions(features, masks, data.fold, kernel):
        hits.append(data.per_maze(masks[0].reshape(len(positions), -1)[np.arange(len(positions)), positions]))
        distances.append(data.per_maze(_distance(cells[positions], data.cheese)))
    return {"hits": hits[0].tolist(), "distance": distances[0].tolist(),
            "control_hits": np.mean(hits[1:], axis=0).tolist(),
            "control_distance": np.mean(distances[1:], axis=0).tolist()}  # fmt: skip


def _distance(guess: np.ndarray, cells: np.ndarray) -> np.ndarray:
    return np.linalg.norm(guess - cells, axis=1)
