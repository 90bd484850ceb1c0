"""The layer sweep: plan minus store = remaining work; levels are computed by local processes.

A level's results depend on the policy, the level and the spec alone: every worker runs on one
thread with fixed batches, so the numbers are the same on one worker or many, resumed or not.
"""

from __future__ import annotations

import contextlib
import functools
import hashlib
import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

from agents.checkpoints import load_policy, write_atomic
from agents.policy import MazePolicy, Policy
from envs.errors import InputError, nearest
from envs.maze import Maze
from steering.evaluate import LevelEvaluator, Outcome
from steering.interventions import Intervention, add, subtract
from steering.plan import CONDITIONS, REFERENCES, SweepSpec
from steering.rollouts import rollouts
from steering.sites import PUBLISHED_SITE, enumerate_sites
from steering.store import Key, Row, Store
from steering.vectors import SteeringVector, cheese_vectors, random_vector


def random_generator(seed: int, level: int, site: str, draw: int) -> np.random.Generator:
    """The generator of one random control: a function of what it is for, not of the order."""
    digest = hashlib.sha256(site.encode()).digest()
    return np.random.default_rng([seed, level, int.from_bytes(digest[:8], "little"), draw])


def intervention_for(key: Key, cheese: SteeringVector, seed: int) -> Intervention:
    """The intervention a key stands for, given the level's cheese vector at its site."""
    if key.condition == "subtract":
        return subtract(cheese, key.coefficient)
    if key.condition == "add":
        return add(cheese, key.coefficient)
    if key.condition == "random":
        noise = random_vector(cheese, random_generator(seed, key.level, key.site, key.draw))
        return subtract(noise, key.coefficient)
    raise InputError(f"unknown condition {key.condition!r}; {nearest(key.condition, CONDITIONS)}")


def level_rows(policy: Policy, maze: Maze, keys: Sequence[Key], spec: SweepSpec) -> list[Row]:
    """Exact outcomes of ``keys`` on one level; equivalent experiments are run once.

    Cheese vectors at affine-equivalent sites give one policy, so the first site of the class is
    run and its numbers are reported for all; a random vector has no such twin.
    """
    sites = {site.name: site for site in enumerate_sites(policy.net)}
    evaluator = LevelEvaluator(policy, maze, spec.horizon)
    jobs: dict[Key, Key] = {}
    for key in keys:
        if key.condition in ("subtract", "add"):
            jobs[key] = key._replace(site=sites[key.site].equivalence_class)
        elif key.condition not in REFERENCES:
            jobs[key] = key
    distinct = list(dict.fromkeys(jobs.values()))
    vectors = cheese_vectors(policy, maze, list(dict.fromkeys(key.site for key in distinct))) if distinct else {}
    outcomes = evaluator.outcomes([intervention_for(key, vectors[key.site], spec.seed) for key in distinct])
    done: dict[Key, Outcome] = dict(zip(distinct, outcomes, strict=True))
    rows = []
    for key in keys:
        if key.condition == "clean":
            rows.append(Row(key, "", evaluator.clean_outcome()))
        elif key.condition == "no_cheese":
            rows.append(Row(key, "", evaluator.no_cheese_outcome()))
        else:
            job = jobs[key]
            outcome = done[job]
            if sites[job.site].feeds_value and not sites[key.site].feeds_value:
                outcome = replace(outcome, value_start=evaluator.clean_outcome().value_start)
            rows.append(Row(key, job.site, outcome))
    return rows


def rollout_site(names: Sequence[str]) -> str:
    """Where rollouts are recorded: the published site if it is swept, else the middle one."""
    return PUBLISHED_SITE if PUBLISHED_SITE in names else names[len(names) // 2]


def rollout_name(key: Key, episode: int) -> str:
    """File name of a recorded rollout."""
    where = f"_{key.site}_x{key.coefficient:g}" if key.site else ""
    return f"level{key.level:05d}_{key.condition}{where}_e{episode}.npz"


def rollout_keys(spec: SweepSpec, level: int, site: str) -> list[Key]:
    """Conditions recorded on each level: the references, and each condition at one site."""
    chosen = [Key(level, condition, site, spec.coefficients[0]) for condition in spec.conditions]
    return [Key(level, name) for name in REFERENCES] + chosen


def record_rollouts(policy: Policy, maze: Maze, keys: Sequence[Key], spec: SweepSpec, directory: Path) -> None:
    """Record ``spec.episodes`` rollouts per key in real procgen, as ``.npz`` files."""
    sites = list(dict.fromkeys(key.site for key in keys if key.site))
    vectors = cheese_vectors(policy, maze, sites) if sites else {}
    for key in keys:
        world = maze.without_cheese() if key.condition == "no_cheese" else maze
        edit = None if key.condition in REFERENCES else intervention_for(key, vectors[key.site], spec.seed)
        tracks = rollouts(
            policy, world, edit, episodes=spec.episodes, seed=spec.seed, horizon=spec.horizon, condition=key.condition
        )
        for episode, track in enumerate(tracks):
            write_atomic(directory / rollout_name(key, episode), track.to_bytes())


def _start_worker() -> None:
    """One thread per worker, so that numbers do not depend on how many there are; none outlives its parent."""
    torch.set_num_threads(1)
    parent = multiprocessing.parent_process()
    assert parent is not None

    def follow() -> None:
        parent.join()
        os._exit(1)  # the parent was killed: nobody is left to take a result

    threading.Thread(target=follow, daemon=True).start()


@contextlib.contextmanager
def _signals_held() -> Iterator[None]:
    """Hold back SIGINT and SIGTERM: neither strikes between a worker's birth and its entry in the books.

    Workers born within inherit the hold, so both signals are the main process's to handle.
    """
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT, signal.SIGTERM})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


@functools.lru_cache(maxsize=1)
def _policy(checkpoint: str, sha256: str) -> MazePolicy:
    policy = load_policy(checkpoint)
    if policy.sha256 != sha256:
        raise InputError(f"checkpoint {checkpoint} changed while the sweep was running; start again")
    return policy


def _run_level(
    checkpoint: str, level: int, keys: list[Key], recordings: list[Key], spec: SweepSpec, directory: str
) -> list[Row]:
    policy = _policy(checkpoint, spec.sha256)
    maze = Maze.from_level(level, spec.mode)
    rows = level_rows(policy, maze, keys, spec) if keys else []
    if recordings:
        record_rollouts(policy, maze, recordings, spec, Path(directory))
    return rows


def run_sweep(
    spec: SweepSpec,
    checkpoint: str,
    directory: Path,
    store: Store,
    *,
    workers: int | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> int:
    """Compute what the store lacks; returns the number of levels that needed work.

    ``checkpoint`` is the name or file each worker loads. ``progress(done, total)`` counts levels.
    Nothing finished is lost: each level is stored as soon as it is done. Whatever ends the sweep
    early (an exception, Ctrl-C, SIGTERM as the command line treats it) ends the workers at once.
    """
    present = store.keys()
    site = rollout_site(spec.sites)
    folder = directory / "rollouts"
    work = []
    for level in spec.levels:
        keys = [key for key in spec.keys(level) if key not in present]
        recordings = [
            key
            for key in rollout_keys(spec, level, site)
            if not all((folder / rollout_name(key, e)).exists() for e in range(spec.episodes))
        ]
        if keys or recordings:
            work.append((level, keys, recordings))
    if progress is not None:
        progress(len(spec.levels) - len(work), len(spec.levels))
    if not work:
        return 0
    count = min(workers or os.cpu_count() or 1, len(work))
    context = multiprocessing.get_context("spawn")
    others = set(multiprocessing.active_children())
    with ProcessPoolExecutor(count, mp_context=context, initializer=_start_worker) as pool:
        queue = iter(work)
        running: set[Future[list[Row]]] = set()
        finished = len(spec.levels) - len(work)
        try:
            while True:
                for level, keys, recordings in queue:
                    with _signals_held():
                        running.add(pool.submit(_run_level, checkpoint, level, keys, recordings, spec, str(folder)))
                    if len(running) >= count + 1:
                        break
                if not running:
                    break
                done, running = wait(running, return_when=FIRST_COMPLETED)
                for future in done:
                    store.add(future.result())
                    finished += 1
                    if progress is not None:
                        progress(finished, len(spec.levels))
        except BaseException as error:
            pool.shutdown(wait=False, cancel_futures=True)
            for child in set(multiprocessing.active_children()) - others:
                child.kill()  # what it was writing is a temporary file, removed on the next start
            if isinstance(error, BrokenProcessPool):
                raise InputError(
                    "a worker process died (out of memory?); finished levels are stored: "
                    "type the same command to go on, perhaps with --workers 1"
                ) from None
            raise
    return len(work)
