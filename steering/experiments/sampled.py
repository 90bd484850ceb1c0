"""Rollouts in real procgen under an intervention, recorded as trajectories.

The network looks at procgen's own frames, edited by forward hooks, and procgen moves the mouse.
The uniform number behind each move depends on (seed, level, episode, step) alone, so different
conditions use common random numbers: where two policies agree, their rollouts agree. A record holds
what its maze is made of, so it can be replayed.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from agents.networks.policy import Policy, check_policy, move_probabilities, sample_rows, to_input
from envs.actions import ACTION_FOR_MOVE, Move
from envs.chain import MAX_HORIZON, check_horizon
from envs.dynamics import step
from envs.errors import InputError, check_kind, check_random_seed
from envs.maze import Maze, State
from envs.recording import place_of, state_in
from envs.simulator import procgen_env, state_bytes
from envs.trajectory import Trajectory
from steering.interventions.edits import Intervention
from steering.interventions.hooks import HookedPolicy


def rollouts(
    policy: Policy,
    maze: Maze,
    intervention: Intervention | None = None,
    *,
    episodes: int,
    seed: int,
    horizon: int = 256,
    condition: str = "",
) -> list[Trajectory]:
    """Record ``episodes`` rollouts in parallel.

    Every frame is looked at once per rollout set: the policy has no memory, so equal frames get equal move
    probabilities.

    Args:
        policy: its network is read by hooks and left as it was.
        maze: a level of procgen or a maze of one's own.
        intervention: edits of activations; None: none.
        episodes: number of rollouts, at least 1.
        seed: with level, episode and step it determines the uniform number behind a move.
        horizon: most moves of a rollout, 1 to 500.
        condition: a name for the records.

    Returns:
        A trajectory for each episode, with all that is needed to replay it.

    Raises:
        InputError: for no episodes, a bad horizon or seed, or an edit that does not fit the network.

    Example:
        >>> tracks = rollouts(load_policy("region5"), Maze.from_level(26), episodes=2, seed=0, horizon=5)
        >>> [track.states[0].cell for track in tracks]
        [(0, 0), (0, 0)]
    """
    check_policy(policy, "rollouts")
    check_kind(isinstance(maze, Maze), maze, "a maze", "rollouts")
    applied = Intervention() if intervention is None else intervention
    check_kind(isinstance(applied, Intervention), applied, "an intervention", "rollouts")
    check_horizon(horizon)
    check_random_seed(seed)
    if episodes < 1:
        raise InputError(f"{episodes} episodes; a rollout needs at least 1")
    hooked = HookedPolicy(policy.net)
    running = [
        _Episode(maze, np.random.default_rng([seed, maze.level or 0, e]).random(horizon)) for e in range(episodes)
    ]
    seen: dict[bytes, np.ndarray] = {}
    env = procgen_env.gym3_env(episodes, maze.mode, start_level=0, num_levels=1, rand_seed=0)
    try:
        env.callmethod("set_state", [state_bytes.encode(maze.state)] * episodes)
        for _ in range(horizon):
            going = [e for e, episode in enumerate(running) if not episode.ended]
            if not going:
                break
            frames = np.array(env.observe()[1]["rgb"])
            _look(hooked, applied, frames[going], [running[e].states[-1] for e in going], seen)
            actions = np.full(episodes, ACTION_FOR_MOVE[Move.NOOP], dtype=np.int32)
            for e in going:
                actions[e] = ACTION_FOR_MOVE[running[e].choose(seen[frames[e].tobytes()])]
            env.act(actions)
            first = env.observe()[2]
            after = env.callmethod("get_state")
            for e in going:
                if first[e]:  # procgen has already gone on to the next episode
                    running[e].end()
                else:
                    running[e].states.append(state_in(maze, after[e]))
    finally:
        env.close()
    info: dict[str, Any] = {"condition": condition, "seed": seed, "horizon": horizon, "policy": policy.name}
    info |= {"checkpoint": policy.sha256, "intervention": applied.to_json()}
    info |= place_of(maze)
    return [episode.trajectory({**info, "episode": e}) for e, episode in enumerate(running)]


class _Episode:
    """One rollout while it runs."""

    def __init__(self, maze: Maze, uniform: np.ndarray) -> None:
        self.maze = maze
        self.uniform = uniform  # float64[horizon], one for each move
        self.states = [State(maze.mouse, maze.facing)]
        self.moves: list[Move] = []
        self.chosen_from: list[np.ndarray] = []
        self.ended = self.reached = maze.cheese == maze.mouse

    def choose(self, probabilities: np.ndarray) -> Move:
        """Draw the next move from ``float64[5]``."""
        t = len(self.moves)
        move = Move(int(sample_rows(probabilities[None], self.uniform[t : t + 1])[0]))
        self.moves.append(move)
        self.chosen_from.append(probabilities)
        return move

    def end(self) -> None:
        """Take note that procgen ended the episode; raise :class:`InputError` if there was no reason to."""
        last = step(self.maze, self.states[-1], self.moves[-1])
        self.reached = last.cell == self.maze.cheese
        made = len(self.moves)
        if not self.reached and made < MAX_HORIZON:
            raise InputError(f"{self.maze.label}: procgen ended an episode at {last.cell} after {made} moves")
        self.states.append(last)
        self.ended = True

    def trajectory(self, info: dict[str, Any]) -> Trajectory:
        """Return the record of the rollout."""
        chosen_from = np.array(self.chosen_from).reshape(-1, len(Move))
        return Trajectory(tuple(self.states), tuple(self.moves), chosen_from, self.reached, info)


def _look(
    hooked: HookedPolicy,
    edits: Intervention,
    frames: np.ndarray,
    states: Sequence[State],
    seen: dict[bytes, np.ndarray],
) -> None:
    """Add the move probabilities of frames not yet in ``seen``; each shows one of the states."""
    new = {
        frame.tobytes(): (frame, state)
        for frame, state in zip(frames, states, strict=True)
        if frame.tobytes() not in seen
    }
    if new:
        shown, where = zip(*new.values(), strict=True)
        logits, _, _ = hooked.run(to_input(np.stack(shown)), edits.by_site(where))
        seen.update(zip(new, move_probabilities(logits).numpy(), strict=True))
