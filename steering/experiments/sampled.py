"""Rollouts in real procgen under an intervention, recorded as trajectories.

The network looks at procgen's own frames, edited by forward hooks, and procgen moves the mouse.
The uniform number behind each move depends on (seed, level, episode, step) alone, so different
conditions use common random numbers: where two policies agree, their rollouts agree. A record holds
what its maze is made of, so it can be replayed.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from agents.networks.policy import Policy, move_probabilities, sample_rows, to_input
from envs.actions import ACTION_FOR_MOVE, Move
from envs.chain import MAX_HORIZON, check_horizon
from envs.dynamics import step
from envs.errors import InputError, check_random_seed
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
    """``episodes`` rollouts of at most ``horizon`` moves each, in parallel.

    Every frame is looked at once per rollout set: the policy has no memory, so equal frames get
    equal move probabilities. Raises :class:`InputError` for no episodes or a bad horizon.
    """
    check_horizon(horizon)
    check_random_seed(seed)
    if episodes < 1:
        raise InputError(f"{episodes} episodes; a rollout needs at least 1")
    edits = (intervention or Intervention()).by_site()
    hooked = HookedPolicy(policy.net)
    streams = [np.random.default_rng([seed, maze.level or 0, e]).random(horizon) for e in range(episodes)]
    start = State(maze.mouse, maze.facing)
    states: list[list[State]] = [[start] for _ in range(episodes)]
    moves: list[list[Move]] = [[] for _ in range(episodes)]
    chosen_from: list[list[np.ndarray]] = [[] for _ in range(episodes)]
    ended = [maze.cheese == maze.mouse] * episodes
    reached = list(ended)
    seen: dict[bytes, np.ndarray] = {}
    env = procgen_env.gym3_env(episodes, maze.mode, start_level=0, num_levels=1, rand_seed=0)
    try:
        env.callmethod("set_state", [state_bytes.encode(maze.state)] * episodes)
        for t in range(horizon):
            if all(ended):
                break
            frames = np.array(env.observe()[1]["rgb"])
            _look(hooked, edits, frames[[e for e in range(episodes) if not ended[e]]], seen)
            actions = np.full(episodes, ACTION_FOR_MOVE[Move.NOOP], dtype=np.int32)
            for e in range(episodes):
                if ended[e]:
                    continue
                p = seen[frames[e].tobytes()]
                move = Move(int(sample_rows(p[None], streams[e][t : t + 1])[0]))
                moves[e].append(move)
                chosen_from[e].append(p)
                actions[e] = ACTION_FOR_MOVE[move]
            env.act(actions)
            first = env.observe()[2]
            after = env.callmethod("get_state")
            for e in range(episodes):
                if ended[e]:
                    continue
                if first[e]:  # procgen has already gone on to the next episode
                    last = step(maze, states[e][-1], moves[e][-1])
                    reached[e] = last.cell == maze.cheese
                    if not reached[e] and t + 1 < MAX_HORIZON:
                        raise InputError(
                            f"level {maze.level}: procgen ended an episode at {last.cell} after {t + 1} moves"
                        )
                    states[e].append(last)
                    ended[e] = True
                else:
                    states[e].append(state_in(maze, after[e]))
    finally:
        env.close()
    info: dict[str, Any] = {"condition": condition, "seed": seed, "horizon": horizon, "policy": policy.name}
    info |= {"checkpoint": policy.sha256, "intervention": (intervention or Intervention()).to_json()}
    info |= place_of(maze)
    return [
        Trajectory(
            tuple(states[e]),
            tuple(moves[e]),
            np.array(chosen_from[e]).reshape(-1, len(Move)),
            reached[e],
            {**info, "episode": e},
        )
        for e in range(episodes)
    ]


def _look(hooked: HookedPolicy, edits: Any, frames: np.ndarray, seen: dict[bytes, np.ndarray]) -> None:
    """Add the move probabilities of frames not yet in ``seen``."""
    new = {frame.tobytes(): frame for frame in frames if frame.tobytes() not in seen}
    if new:
        logits, _, _ = hooked.run(to_input(np.stack(list(new.values()))), edits)
        seen.update(zip(new, move_probabilities(logits).numpy(), strict=True))
