"""One rollout left alone and one under the edits, by common random numbers, and their film."""

from __future__ import annotations

import dataclasses
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from agents.networks.policy import sample_rows
from envs.dynamics import transition_table
from envs.errors import InputError, check_random_seed
from envs.maze import State
from steering.app.session.context import Context
from steering.app.session.outcomes import field_update
from steering.app.session.updates import Update, integers
from steering.experiments.conditions import EDIT
from steering.experiments.sampled import rollouts as recorded
from videos.rollout_film import film_of
from videos.side_by_side import Look

RUNS = ("clean", "steered")
LOOK = Look(side=384, crop=True)  # of a film
MOST_NAMES = 10_000  # tried for a film


def rollout_updates(context: Context, seed: int) -> Iterator[Update]:
    """Yield both rollouts, as :func:`steering.experiments.sampled.rollouts` records them with this seed.

    Move ``t`` of both is drawn by the same uniform number, so where the two policies agree, they move alike.

    Args:
        context: the state.
        seed: of the draws, 0 or more.

    Raises:
        InputError: for a bad seed.
    """
    check_random_seed(seed)
    paths = {run: walked(context, run, seed) for run in RUNS}
    facts = {"seed": seed, "ends": {run: end_of(context, states) for run, states in paths.items()}}
    arrays = {run: integers([(*state.cell, int(state.facing)) for state in states]) for run, states in paths.items()}
    yield Update("rollouts", facts, arrays)


def walked(context: Context, run: str, seed: int) -> list[State]:
    """Return the states of one rollout of ``clean`` or ``steered``, the start first; only states met are looked at."""
    maze, field, table = context.maze, context.field(run), transition_table(context.maze)
    states = [State(maze.mouse, maze.facing)]
    for uniform in np.random.default_rng([seed, maze.level or 0, 0]).random(context.asked.horizon):
        if states[-1].cell == maze.cheese:
            break
        here = maze.state_index(*states[-1])
        if not field.known[here]:
            context.compute([run], np.array([here]))
        (move,) = sample_rows(field.probabilities[here : here + 1], np.array([uniform]))
        states.append(maze.states[table[here, move]])
    return states


def end_of(context: Context, states: list[State]) -> str:
    """Return what a rollout came to: ``cheese``; else ``corner`` where it met the top-right cell; else ``horizon``."""
    if states[-1].cell == context.maze.cheese:
        return "cheese"
    return "corner" if any(state.cell == context.maze.corner for state in states) else "horizon"


def film_updates(context: Context, seed: int) -> Iterator[Update]:
    """Write the film of both rollouts, recorded in procgen, into the start directory; last yield its name.

    Args:
        context: the state.
        seed: of the draws, 0 or more.

    Raises:
        InputError: for a bad seed, a mouse that starts on the cheese, or a directory that takes no more files.
    """
    check_random_seed(seed)
    maze, nothing = context.maze, np.zeros(0, dtype=np.int64)
    for _ in context.chunks(("clean", "steered", "no_cheese")):
        yield field_update(context, "clean", nothing)
    tracks = []
    for run, condition in (("clean", "clean"), ("steered", EDIT))[: 2 if context.texts else 1]:
        outcome = context.evaluator.outcome_of(context.field(run).policy)
        (track,) = recorded(
            context.policy,
            maze,
            context.edits if run == "steered" else None,
            episodes=1,
            seed=seed,
            horizon=context.asked.horizon,
            condition=condition,
        )
        exact = {"p_cheese": outcome.p_cheese, "p_region": outcome.p_region}
        tracks.append(dataclasses.replace(track, info={**track.info, "exact": exact}))
        yield field_update(context, "clean", nothing)
    stem = f"mazesteer-{'maze' if maze.level is None else f'level{maze.level:05d}'}-seed{seed}"
    with tempfile.TemporaryDirectory(prefix="mazesteer-") as elsewhere:  # so that Ctrl-C leaves no part of one here
        film_of([tracks], made := Path(elsewhere) / f"{stem}.mp4", look=LOOK)
        path = reserved(context.start, stem)
        try:
            shutil.copyfile(made, path)
        except OSError as error:
            path.unlink()
            raise InputError(f"{path.name}: cannot be written ({error.strerror}); start elsewhere") from None
    yield Update("saved", {"path": path.name})


def reserved(folder: Path, stem: str) -> Path:
    """Return the path of a new, empty film; names that are taken get a number."""
    for number in range(1, MOST_NAMES):
        path = folder / (f"{stem}.mp4" if number == 1 else f"{stem}-{number}.mp4")
        try:
            os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o644))
        except FileExistsError:
            continue
        except OSError as error:
            raise InputError(f"{path.name}: cannot be written ({error.strerror}); start elsewhere") from None
        return path
    raise InputError(f"{stem}: {MOST_NAMES:,} films of that name are there; remove some")
