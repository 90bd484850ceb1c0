"""``make bench``: ratios measured within one run on one machine.

Absolute times depend on the machine; the ratios are what a change should be judged by.
"""

from __future__ import annotations

import math
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch

from agents.checkpoints import load_policy
from agents.imitation import ImitationConfig, make_block
from agents.imitation import batches as imitation_batches
from agents.impala import ImpalaPolicyNet
from agents.policy import MazePolicy, batches, to_input
from agents.supervised import Session
from envs import procgen_env, state_bytes
from envs.chain import statistics
from envs.maze import Maze
from steering.evaluate import CHUNK, LevelEvaluator
from steering.interventions import subtract
from steering.sites import enumerate_sites
from steering.vectors import cheese_vectors

LEVEL = 2
REPEATS = 3


def best_of(work: Callable[[], object], repeats: int = REPEATS) -> float:
    """Least wall time of ``work`` in seconds."""
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        work()
        times.append(time.perf_counter() - start)
    return min(times)


def bench(policy: MazePolicy, maze: Maze) -> list[tuple[str, float]]:
    """(what, ratio) pairs."""
    sites = enumerate_sites(policy.net)
    vectors = cheese_vectors(policy, maze, [site.name for site in sites])
    edits = [subtract(vectors[site.name]) for site in sites]
    fast, slow = LevelEvaluator(policy, maze), LevelEvaluator(policy, maze, hooks_only=True)
    fast.clean, slow.clean  # noqa: B018 - renders, so that networks are compared with networks
    partial_time = best_of(lambda: fast.fields(edits), 1)
    hooked_time = best_of(lambda: slow.fields(edits), 1)

    frames = fast.frames

    def bare() -> None:
        with torch.no_grad():
            for chunk in batches(frames, CHUNK):
                policy.net(to_input(chunk))

    bare_time = best_of(bare)
    probabilities = fast.clean.probabilities
    render_time = best_of(maze.observations)
    states = state_bytes.mouse_variants(
        maze.state, maze.outer(s.cell for s in maze.states[:64]), np.zeros(64, dtype=int)
    )
    env = procgen_env.cached_env(maze.mode, len(states))

    def plain_loop() -> None:
        env.callmethod("set_state", states)
        env.observe()

    plain_rate = len(states) / best_of(plain_loop)
    chain_time = best_of(lambda: statistics(maze, probabilities))
    p = statistics(maze, probabilities).p_cheese
    episodes = max(p * (1 - p), 0.25) / 0.02**2
    steps = statistics(maze, probabilities).expected_steps * episodes
    return [
        ("42-site sweep: hooked forwards / partial re-execution (time)", hooked_time / partial_time),
        ("42-site sweep: partial re-execution / one clean pass (time)", partial_time / bare_time),
        (
            "rendering: our states per second / procgen's own set_state + observe",
            len(frames) / render_time / plain_rate,
        ),
        ("chain: exact statistics / one clean pass (time)", chain_time / bare_time),
        ("forward passes: Monte Carlo at standard error .02 (worst case) / exact", steps / len(frames)),
    ]


def data_share(steps: int = 32) -> float:
    """Share of a training step that making its data costs: imitation, all threads, data made beside the network."""
    config = ImitationConfig(samples=10**9)
    ready = [batch for number in range(steps // config.block) for batch in make_block(config, number)]
    with tempfile.TemporaryDirectory() as folder:
        net = ImpalaPolicyNet(config.scale, generator=torch.Generator().manual_seed(0))
        session = Session(net, config.update, {}, Path(folder) / "state.pt", save_every_seconds=math.inf, progress=None)
        data = imitation_batches(config, 0)

        def bare() -> None:
            for batch in ready:
                session.step(batch)

        def whole() -> None:
            for _ in ready:
                session.step(next(data))

        try:
            bare()
            whole()  # both once, to warm up
            return 1 - best_of(bare) / best_of(whole)
        finally:
            data.close()
            session.close()


def main() -> None:
    """Print the ratios for the shipped policy on one level."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    for what, ratio in bench(load_policy("region5"), Maze.from_level(LEVEL)):
        print(f"{ratio:8.2f}  {what}")
    torch.set_num_threads(threads)
    print(f"{data_share():8.2f}  training: share of a step that making its data costs")


if __name__ == "__main__":
    main()
