"""Exact evaluation: policy + maze + intervention -> move probabilities of all states -> Outcome.

The network is run once per (cell, facing); :mod:`envs.chain` does the rest. One
:class:`LevelEvaluator` renders a level once and shares the clean activations among all the
interventions asked of it.
"""

from __future__ import annotations

import functools
import itertools
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import nn

from agents.networks.policy import Policy, check_policy, device_of, move_probabilities, to_input
from envs import chain
from envs.actions import Move
from envs.errors import InputError, check_kind
from envs.maze import Maze
from steering.experiments.outcome import HORIZON, OUTCOME_FIELDS, Evaluation, Outcome
from steering.interventions.edits import Intervention
from steering.interventions.hooks import HookedPolicy
from steering.interventions.partial import PartialNetwork
from steering.interventions.shared_passes import passes, side_by_side

CHUNK = 32  # states in one pass: larger ones do not stay in the processor's cache
GPU_CHUNK = 256  # the same on a GPU, where a pass does not keep the values of all nodes
GPU_KEPT = 2**30  # bytes of those that it keeps, else: of 645 states of the shipped agents, 165 at scale 4


@dataclass(frozen=True)
class StatePolicy:
    """A policy as seen from every state of a level, in the order of ``maze.states``."""

    probabilities: np.ndarray
    """Probability of the moves left, right, up, down, noop: ``float64[n_states, 5]``."""
    values: np.ndarray
    """The value head's estimates, ``float64[n_states]``; NaN for a network without one."""


def traced(net: nn.Module) -> PartialNetwork | None:
    """Return partial re-execution, or None for a network that ``torch.fx`` cannot trace (hooks serve then)."""
    try:
        return PartialNetwork(net)
    except InputError:
        return None


class LevelEvaluator:
    """All conditions of one policy on one level (with its cheese, unless the maze has none).

    Args:
        policy: its network is read by hooks and left as it was.
        maze: the level.
        horizon: most moves of an episode, 1 to 500.
        hooks_only: run the whole network for each intervention, rather than what follows the edit.

    Raises:
        InputError: for a bad horizon.

    Example:
        >>> evaluator = LevelEvaluator(as_policy(ImpalaPolicyNet(1)), Maze.from_level(26), horizon=20)
        >>> clean, ablated = evaluator.outcomes([Intervention(), ablate("embedder.fc", (0,))])
        >>> clean.tv_clean, evaluator.clean.probabilities.shape
        (0.0, (62, 5))
    """

    def __init__(self, policy: Policy, maze: Maze, horizon: int = HORIZON, *, hooks_only: bool = False) -> None:
        check_policy(policy, "evaluate")
        check_kind(isinstance(maze, Maze), maze, "a maze", "evaluate")
        self.policy = policy
        self.maze = maze
        self.horizon = chain.check_horizon(horizon)
        self._hooked = HookedPolicy(policy.net)
        self._partial = None if hooks_only else traced(policy.net)
        self._clean: StatePolicy | None = None

    @classmethod
    def known(
        cls,
        policy: Policy,
        maze: Maze,
        horizon: int,
        clean: StatePolicy,
        no_cheese: StatePolicy,
        network: PartialNetwork | None = None,
    ) -> LevelEvaluator:
        """Return the evaluator of a level whose two references are there already.

        Args:
            policy: its network is read by hooks and left as it was.
            maze: the level.
            horizon: most moves of an episode, 1 to 500.
            clean: the policy left alone, in the order of ``maze.states``.
            no_cheese: the same on the level without its cheese.
            network: the policy's, traced already; None: hooks serve.

        Raises:
            InputError: for a bad horizon.
        """
        evaluator = cls(policy, maze, horizon, hooks_only=True)
        evaluator._partial, evaluator._clean = network, clean
        evaluator.without_cheese._clean = no_cheese
        return evaluator

    @functools.cached_property
    def frames(self) -> np.ndarray:
        """Return the level as the policy sees it from every state: ``uint8[n_states, 64, 64, 3]``."""
        return self.maze.observations()

    @property
    def clean(self) -> StatePolicy:
        """Return the policy left alone."""
        if self._clean is None:
            self.fields([])
        assert self._clean is not None
        return self._clean

    @functools.cached_property
    def without_cheese(self) -> LevelEvaluator:
        """Return the same policy on the same level with its cheese removed."""
        return self if self.maze.cheese is None else self.world(self.maze.without_cheese())

    def world(self, maze: Maze) -> LevelEvaluator:
        """Return the same policy on another maze, such as this one with its cheese elsewhere; the network is shared."""
        other = LevelEvaluator(self.policy, maze, self.horizon, hooks_only=True)
        other._partial = self._partial  # traced once
        return other

    @property
    def no_cheese(self) -> StatePolicy:
        """Return the policy on the same level with its cheese removed."""
        return self.without_cheese.clean

    def fields(self, interventions: Sequence[Intervention]) -> list[StatePolicy]:
        """Return the policy under each intervention; one clean pass per chunk serves all of them and `clean`.

        Args:
            interventions: edits of activations.

        Returns:
            One field per intervention, in the same order.

        Raises:
            InputError: for an edit that does not fit the network.
        """
        return fields_together([self], [interventions])[0]

    @property
    def _most(self) -> int:
        """Return the number of states in one pass."""
        if device_of(self.policy.net).type == "cpu":
            return CHUNK
        return GPU_CHUNK if self._partial is None else max(GPU_KEPT // self._partial.bytes_per_state, CHUNK)

    def outcomes(self, interventions: Sequence[Intervention]) -> list[Outcome]:
        """Return the exact outcome of each intervention."""
        return self.outcomes_of(self.fields(interventions))

    def clean_outcome(self) -> Outcome:
        """Return the outcome of the policy left alone."""
        return self.outcome_of(self.clean)

    def no_cheese_outcome(self) -> Outcome:
        """Return the outcome on the level without its cheese: it cannot be eaten, its old cell can be visited."""
        return self.outcome_of(self.no_cheese, self.maze.without_cheese())

    def outcome_of(self, field: StatePolicy, world: Maze | None = None) -> Outcome:
        """Return the outcome of a field of move probabilities lived out in ``world`` (default: the level)."""
        return self.outcomes_of([field], world)[0]

    def outcomes_of(self, fields: Sequence[StatePolicy], world: Maze | None = None) -> list[Outcome]:
        """Return :meth:`outcome_of` each field."""
        return [outcome for outcome, _ in self.outcomes_and_visits(fields, world)]

    def outcomes_and_visits(
        self, fields: Sequence[StatePolicy], world: Maze | None = None
    ) -> list[tuple[Outcome, np.ndarray]]:
        """Return :meth:`outcome_of` each field, and how often each state is left: ``float64[n_states]``."""
        maze, tables = self.maze, [field.probabilities for field in fields]
        stats = chain.statistics_of_all(world or maze, tables, self.horizon, goal=maze.cheese)
        here = stats if world is None else chain.statistics_of_all(maze, tables, self.horizon)
        rows = zip(fields, stats, here, strict=True)
        return [(self._outcome(field, stat, own.p_region), stat.occupancy) for field, stat, own in rows]

    def _outcome(self, field: StatePolicy, stats: chain.ChainStatistics, p_region_first: float) -> Outcome:
        maze, p = self.maze, field.probabilities
        decision = chain.decision_probabilities(maze, p)
        to_clean = chain.total_variation(p, self.clean.probabilities)
        to_no_cheese = chain.total_variation(p, self.no_cheese.probabilities)
        even, visited = self._weights
        return Outcome(
            p_cheese=stats.p_cheese,
            p_cheese_cell=stats.p_cheese_cell,
            p_corner=stats.p_corner,
            p_region=stats.p_region,
            p_region_first=p_region_first,
            p_cheese_decision=decision[0],
            p_corner_decision=decision[1],
            p_other_decision=decision[2],
            expected_steps=stats.expected_steps,
            path_probability_cheese=chain.path_probability(maze, p, maze.cheese),
            path_probability_corner=chain.path_probability(maze, p, maze.corner),
            value_start=float(field.values[maze.state_index(maze.mouse, maze.facing)]),
            tv_clean=float(even @ to_clean),
            tv_no_cheese=float(even @ to_no_cheese),
            tv_clean_occupancy=float(visited @ to_clean),
            tv_no_cheese_occupancy=float(visited @ to_no_cheese),
        )

    @functools.cached_property
    def _weights(self) -> tuple[np.ndarray, np.ndarray]:
        """Return weights over states that sum to 1: uniform, and by no-cheese occupancy; 0 on the cheese."""
        off = np.array([state.cell != self.maze.cheese for state in self.maze.states], dtype=np.float64)
        world = self.maze.without_cheese()
        visits = chain.statistics(world, self.no_cheese.probabilities, self.horizon).occupancy * off
        return off / off.sum(), visits / visits.sum()


def fields_together(
    levels: Sequence[LevelEvaluator], interventions: Sequence[Sequence[Intervention]]
) -> list[list[StatePolicy]]:
    """Return :meth:`LevelEvaluator.fields` of several levels, whose states share passes: what keeps a GPU busy.

    Args:
        levels: evaluators of one policy that share its network (:meth:`LevelEvaluator.world`).
        interventions: of each level, as many for each; those of one place in the lists are run together.

    Returns:
        For each level one field per intervention, in the same order. They are those of the level alone, up to the
        rounding that other passes bring.

    Raises:
        InputError: for an edit that does not fit the network, or makes a level's numbers overflow.
    """
    for each in itertools.chain(*interventions):
        check_kind(isinstance(each, Intervention), each, "an intervention", "evaluate")
    first = [Intervention()] if any(level._clean is None for level in levels) else []
    found = _run(levels, [[*first, *asked] for asked in interventions])
    if first:
        for level, fields in zip(levels, found, strict=True):
            level._clean = fields.pop(0)
    return found


def _run(levels: Sequence[LevelEvaluator], asked: Sequence[Sequence[Intervention]]) -> list[list[StatePolicy]]:
    network, hooked = levels[0]._partial, levels[0]._hooked
    found: list[list[list[tuple[torch.Tensor, torch.Tensor]]]] = [[[] for _ in each] for each in asked]
    for parts in passes([len(level.frames) for level in levels] if any(asked) else [], levels[0]._most):
        x = to_input(np.concatenate([levels[i].frames[rows] for i, rows in parts]))
        sizes = [rows.stop - rows.start for _, rows in parts]
        clean = network.clean(x) if network is not None else None
        for k in range(len(asked[0])):
            edits = side_by_side([asked[i][k].by_site(levels[i].maze.states[rows]) for i, rows in parts], sizes)
            if network is not None and clean is not None:
                logits, values = network.rerun(clean, edits)
            else:
                logits, values, _ = hooked.run(x, edits)
            pieces = zip(parts, torch.split(logits, sizes), torch.split(values, sizes), strict=True)
            for (i, _), own_logits, own_values in pieces:
                found[i][k].append((own_logits, own_values))
    return [[_joined(parts) for parts in each] for each in found]


def _joined(parts: Sequence[tuple[torch.Tensor, torch.Tensor]]) -> StatePolicy:
    logits, values = (torch.cat(part) for part in zip(*parts, strict=True))
    return StatePolicy(move_probabilities(logits).numpy(), values.double().numpy())


def evaluate(
    policy: Policy, maze: Maze, intervention: Intervention | None = None, *, horizon: int = HORIZON
) -> Evaluation:
    """Return the exact outcome of a policy on a level.

    Args:
        policy: its network is read by hooks and left as it was.
        maze: the level, with its cheese.
        intervention: edits of activations; None: the policy left alone.
        horizon: most moves of an episode, 1 to 500.

    Returns:
        Probabilities and expectations over all episodes, exact up to floating point; NaN where undefined. Beside them
        ``clean`` and ``no_cheese``: the outcomes of the policy left alone, with the cheese and without.

    Raises:
        InputError: for a bad horizon, or an edit that does not fit the network.

    Example:
        >>> policy, maze = load_policy("region5"), Maze.from_level(26)
        >>> found = evaluate(policy, maze, subtract(cheese_vector(policy, maze, "input")))
        >>> round(found.blindness, 3), found.no_cheese.p_cheese
        (1.0, 0.0)
    """
    evaluator = LevelEvaluator(policy, maze, horizon)
    edits = Intervention() if intervention is None else intervention
    (found,) = evaluator.outcomes([edits])
    return Evaluation(
        **{name: getattr(found, name) for name in OUTCOME_FIELDS},
        clean=evaluator.clean_outcome(),
        no_cheese=evaluator.no_cheese_outcome(),
        title=f"{policy.name}, {maze.label}, {edits.describe()}, within {horizon} moves",
    )


def field_to_json(maze: Maze, field: StatePolicy) -> list[dict[str, object]]:
    """Return one entry per state: cell, facing and the probability of each move."""
    return [
        {
            "cell": list(state.cell),
            "facing": state.facing.label,
            "probabilities": {move.label: float(row[move]) for move in Move},
        }
        for state, row in zip(maze.states, field.probabilities, strict=True)
    ]
