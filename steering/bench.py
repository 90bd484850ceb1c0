"""``make bench``: ratios measured within one run on one machine.

Absolute times depend on the machine; the ratios are what a change should be judged by.
"""

from __future__ import annotations

import math
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from torch.utils.flop_counter import FlopCounterMode

from agents.checkpoints.zoo import load_policy
from agents.hardware import one_thread
from agents.networks.impala import ImpalaPolicyNet
from agents.networks.policy import MazePolicy, batches, to_input
from agents.training.dagger import DaggerConfig, Walkers
from agents.training.dagger import step as walked
from agents.training.imitation import ImitationConfig, make_block
from agents.training.imitation import batches as imitation_batches
from agents.training.supervised import SupervisedSession
from envs.chain import statistics
from envs.maze import Maze
from envs.simulator import procgen_env, state_bytes
from steering.experiments.conditions import DEFAULT_CONDITIONS
from steering.experiments.exact import CHUNK, LevelEvaluator, evaluate
from steering.experiments.levels import qualifying_levels
from steering.films.map_film import film_map
from steering.interventions.edits import subtract
from steering.interventions.sites import enumerate_sites
from steering.interventions.vectors import cheese_vectors
from steering.planning.maps import block_effects
from steering.planning.measure import CHEESE, DETOUR, behaviour_row, map_sites, patch_row, shown_pairs
from steering.planning.pairs import DISTANCE, Goal
from steering.planning.run import PAIRS
from steering.sweep.spec import SweepSpec
from steering.sweep.units import run_unit, split

LEVEL = 2
REPEATS = 3


def best_of(work: Callable[[], object], repeats: int = REPEATS) -> float:
    """Return the least wall time of ``work`` in seconds."""
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        work()
        times.append(time.perf_counter() - start)
    return min(times)


def bench(policy: MazePolicy, maze: Maze) -> list[tuple[str, float]]:
    """Return (name, ratio) pairs."""
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
    return [
        ("42-site sweep: hooked forwards / partial re-execution (time)", hooked_time / partial_time),
        ("42-site sweep: partial re-execution / one clean pass (time)", partial_time / bare_time),
        (
            "rendering: our states per second / procgen's own set_state + observe",
            len(frames) / render_time / plain_rate,
        ),
        ("chain: exact statistics / one clean pass (time)", chain_time / bare_time),
    ]


def passes_saved(policy: MazePolicy, count: int = 8) -> float:
    """Return the forward passes over the first ``count`` levels that Monte Carlo takes to know P(cheese).

    With a standard error of .02, relative to those of the exact outcome (one for each state). Episodes are those of the
    worst case, P(cheese) = 1/2: nobody knows it beforehand. Their length is this policy's.
    """
    mazes = [Maze.from_level(level) for level in range(count)]
    episodes = 0.25 / 0.02**2
    steps = sum(evaluate(policy, maze).expected_steps * episodes for maze in mazes)
    return steps / sum(len(maze.states) for maze in mazes)


def efficiency(policy: MazePolicy, maze: Maze) -> tuple[float, float]:
    """Return the operations a second of a whole 42-site sweep, relative to the bare network's at its best batch size.

    The sweep's time holds everything from the level to its outcomes: rendering, both references, the suffixes of all
    sites, the chain. Operations are those of convolutions and matrix products, counted by torch: all of them, and those
    of the suffixes alone, as if the clean pass and the pass without cheese were idle time.
    """

    def sweep() -> None:
        evaluator = LevelEvaluator(policy, maze)
        sites = enumerate_sites(policy.net)
        vectors = cheese_vectors(policy, maze, [site.name for site in sites])
        evaluator.outcomes([subtract(vectors[site.name]) for site in sites])
        evaluator.clean_outcome()
        evaluator.no_cheese_outcome()

    frames = np.concatenate([maze.observations()] * 4)[:512]

    def bare(size: int) -> None:
        with torch.no_grad():
            for chunk in batches(frames, size):
                policy.net(to_input(chunk))

    best = min(best_of(lambda: bare(size)) for size in (32, 64, 128, 256))  # noqa: B023
    one_pass, everything = _operations(lambda: bare(128)), _operations(sweep)
    references = one_pass * (2 * len(maze.states) + 2) / len(frames)  # with the cheese, without it, the vector's two
    scale = best / one_pass / best_of(sweep, 2 * REPEATS)
    return everything * scale, (everything - references) * scale


def _operations(work: Callable[[], object]) -> float:
    with FlopCounterMode(display=False) as counter:
        work()
    return float(counter.get_total_flops())


def growth(policy: MazePolicy, count: int = 64) -> tuple[float, float]:
    """Return (time per state over ``count`` levels relative to the first 8, peak memory as a share of 2 GiB)."""
    mazes, _ = qualifying_levels(range(10_000), count)
    sites = ("embedder.block1.conv", "embedder.block2.res1.resadd", "embedder.relu3")
    spec = SweepSpec(policy.name, policy.sha256, tuple(m.level or 0 for m in mazes), sites, DEFAULT_CONDITIONS)
    begun, states, rates = time.perf_counter(), 0, []
    for number, maze in enumerate(mazes, 1):
        for unit in split(maze.level or 0, spec.keys(maze.level or 0)):
            run_unit(policy, unit, spec)
        states += len(maze.states)
        if number in (8, count):
            rates.append((time.perf_counter() - begun) / states)
    return rates[-1] / rates[0], resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**21


def data_share(config: ImitationConfig | DaggerConfig, steps: int = 32) -> float:
    """Return the share of a training step that making its data costs: all threads, random data beside the network."""
    drawn = config if isinstance(config, ImitationConfig) else config.random_part
    rng = np.random.default_rng(0)
    ready = [batch for number in range(steps // drawn.block) for batch in make_block(ImitationConfig(), number)]
    with tempfile.TemporaryDirectory() as folder:
        net = ImpalaPolicyNet(config.scale, generator=torch.Generator().manual_seed(0))
        session = SupervisedSession(
            net, config.update, {}, Path(folder) / "state.pt", save_every_seconds=math.inf, progress=None
        )
        data = imitation_batches(drawn, 0)
        walkers = Walkers(config, seed=0) if isinstance(config, DaggerConfig) else None

        def bare() -> None:
            for batch in ready:
                session.step(batch)

        def whole() -> None:
            for _ in ready:
                if isinstance(config, ImitationConfig):
                    session.step(next(data))
                elif walkers is not None:
                    walked(config, session, walkers, next(data), rng)

        try:
            bare()
            whole()  # both once, to warm up
            return 1 - best_of(bare) / best_of(whole)
        finally:
            data.close()
            session.close()
            if walkers is not None:
                walkers.close()


def planned(policy: MazePolicy, count: int = 4) -> list[tuple[str, float]]:
    """Return (what, number): planning and its maps on ``count`` levels, processor time."""
    mazes, _ = qualifying_levels(range(10_000), count)
    trunk = tuple(site.name for site in enumerate_sites(policy.net) if site.trunk)
    spec = SweepSpec(policy.name, policy.sha256, tuple(m.level or 0 for m in mazes), trunk, DEFAULT_CONDITIONS)
    sites = map_sites(policy)
    kinds = ((CHEESE, Goal.CHEESE), (DETOUR, Goal.CHEESE), (DETOUR, Goal.CORNER))

    def swept() -> None:
        for level in spec.levels:
            for unit in split(level, spec.keys(level)):
                run_unit(policy, unit, spec)

    def planning() -> None:
        for maze in mazes:
            for goal in Goal:
                behaviour_row(policy, maze, goal, PAIRS, DISTANCE, 0)
            for kind, goal in kinds:
                patch_row(policy, maze, kind, goal, sites, PAIRS, DISTANCE, 0)

    shown = [pair for maze in mazes for pair in shown_pairs(maze, DETOUR, Goal.CORNER, PAIRS, DISTANCE, 0)[0]]
    ratio = used(planning) / used(swept)
    mapped = used(lambda: block_effects(policy, shown, sites[-12:])) / len(shown)
    with tempfile.TemporaryDirectory() as folder:
        film = used(lambda: film_map(policy, mazes[0], Path(folder) / "map.mp4", seconds=0.1))
    return [
        ("planning of some levels / their default sweep with all controls (processor time)", ratio),
        ("causal maps of 100 pairs at the last 12 trunk sites, in minutes of one core", 100 * mapped / 60),
        ("film-sweep --map of one pair at all trunk sites, in seconds of one core", film),
    ]


def used(work: Callable[[], object]) -> float:
    """Return the processor time of ``work`` in seconds, of all threads."""
    begun = time.process_time()
    work()
    return time.process_time() - begun


def starts() -> list[tuple[str, float]]:
    """Return (what, ratio): processor time of whole commands, relative to a bare Python that imports torch."""
    with tempfile.TemporaryDirectory() as folder:
        run = str(Path(folder) / "run")
        sweep = ("layer-sweep", "region5", "--levels", "0:12", "--sites", "trunk", "--episodes", "0", "--out", run)
        processor_time("-m", "steering.cli.app", *sweep)
        torch_alone = min(processor_time("-c", "import torch") for _ in range(REPEATS))
        commands = (("mazesteer --help", ("--help",)), ("mazesteer report, of a small run", ("report", run)))
        return [
            (what, min(processor_time("-m", "steering.cli.app", *words) for _ in range(REPEATS)) / torch_alone)
            for what, words in commands
        ]


def processor_time(*arguments: str) -> float:
    """Return the seconds of processor time that a Python with these arguments takes, from start to end."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run([sys.executable, *arguments], check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def main() -> None:
    """Print the ratios for the shipped policy on one level."""
    for what, ratio in starts():
        print(f"{ratio:8.2f}  start: processor time of {what} / of a Python that imports torch", flush=True)
    with one_thread():
        policy, maze = load_policy("region5"), Maze.from_level(LEVEL)
        for what, ratio in bench(policy, maze):
            print(f"{ratio:8.2f}  {what}", flush=True)
        print(
            f"{passes_saved(policy):8.2f}  forward passes: Monte Carlo at standard error .02 (worst case) / exact",
            flush=True,
        )
        whole, suffixes = efficiency(policy, maze)
        print(f"{whole:8.2f}  efficiency: operations per second of a 42-site sweep / of the bare network")
        print(f"{suffixes:8.2f}  the same, counting the operations of the suffixes alone", flush=True)
        for what, number in planned(policy):
            print(f"{number:8.2f}  {what}", flush=True)
        per_state, memory = growth(policy)
        print(f"{per_state:8.2f}  time per state: 64 levels / the first 8 of them")
        print(f"{memory:8.2f}  peak memory, of 2 GiB", flush=True)
    imitation, walks = ImitationConfig(samples=10**9), DaggerConfig(samples=10**9)
    print(f"{data_share(imitation):8.2f}  training: share of a step that making its data costs, imitation")
    print(f"{data_share(walks):8.2f}  training: the same, of a step of walks")


if __name__ == "__main__":
    main()
