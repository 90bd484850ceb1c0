"""One film that walks through the sites of a sweep in depth order.

At each site: the steered vector field and rollouts of one level; below, the blindness curve of the
whole sweep, which grows by one site at a time. Equivalent sites are one experiment and shown once.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np

from agents.networks.policy import Policy
from envs.errors import RANGES, InputError, counted
from envs.maze import Maze, State
from steering.analysis.summary import summarize
from steering.experiments.conditions import MAIN, Key
from steering.experiments.exact import LevelEvaluator
from steering.experiments.level_conditions import level_intervention
from steering.experiments.sampled import rollouts
from steering.films.move_fields import MoveField
from steering.films.sweep_film import most_changed
from steering.interventions.edits import Intervention
from steering.records.sweep import SweepSummary
from steering.sweep.recordings import rollout_site
from steering.sweep.spec import SweepSpec
from steering.sweep.store import Store
from videos.chart import curve_chart
from videos.encode import check_film_path, write_film
from videos.rollout_film import panel_of
from videos.side_by_side import STANDARD, Look, Panel, grid_frames
from videos.stage import GAP, film_width

CHART_HEIGHT = 240


def film_sites(
    run: Path,
    spec: SweepSpec,
    policy: Policy,
    out: Path | None = None,
    *,
    level: int | None = None,
    episodes: int = 2,
    seconds: float = 4.0,
    look: Look = STANDARD,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> Path:
    """Write the film of subtraction at one site after another, along the curve of blindness.

    Args:
        run: the run's directory.
        spec: the run's settings.
        policy: of the run's checkpoint.
        out: the film; None: ``film-sweep.mp4`` in ``run``.
        level: seed of the level; None: the one where subtraction changes P(cheese) most.
        episodes: rollouts shown at each site, 1 to 4.
        seconds: about how long a rollout lasts at each site, .1 to 600; long ones skip steps.
        look: sizes and colours.
        progress: told ``(done, total)`` in sites, before each and at the end.

    Returns:
        The path of the film.

    Raises:
        InputError: for a run without ``subtract``, a level that is not in it, numbers out of range, or as
            :func:`videos.encode.write_film` does.
    """
    RANGES["rollouts-shown"].check(episodes)
    RANGES["seconds"].check(seconds)
    if MAIN not in spec.conditions:
        raise InputError(f"{run}: no condition {MAIN!r} in this sweep, whose curve the film follows; sweep it")
    if level is not None and level not in spec.levels:
        raise InputError(f"--level {level} is not in this run; choose one of {', '.join(map(str, spec.levels[:20]))}")
    path = check_film_path(run / "film-sweep.mp4" if out is None else out)
    with Store.read(run) as store:
        summary = summarize(store, spec)
        chosen = most_changed(store, spec, rollout_site(spec.sites)) if level is None else level
    curve = distinct_curve(summary)
    maze = Maze.from_level(chosen, spec.mode)
    names, used = [name for name, _ in curve], len(summary.levels.used)
    edits = [
        level_intervention(policy, maze, Key(chosen, MAIN, name, spec.coefficients[0]), spec.source, spec.seed)
        for name in names
    ]
    fields = LevelEvaluator(policy, maze, spec.horizon).fields(edits)

    def frames() -> Iterator[np.ndarray]:
        for number, (name, edit, field) in enumerate(zip(names, edits, fields, strict=True)):
            progress(number, len(names))
            arrows = MoveField(name, maze, field.probabilities, spec.horizon).vectors()
            yield from _site_frames(policy, maze, spec, (curve, number), edit, arrows, used, episodes, seconds, look)
        progress(len(names), len(names))

    return write_film(path, frames(), look.fps)


def distinct_curve(summary: SweepSummary) -> list[tuple[str, float]]:
    """Return (site, blindness) of the distinct trunk experiments in depth order; all sites where trunk is not known."""
    sites = [site for site in summary.sites if site.trunk is not False and MAIN in site.conditions]
    first: dict[str, tuple[str, float]] = {}
    for site in sites:
        value = site.conditions[MAIN].blindness
        first.setdefault(site.equivalence_class, (site.name, math.nan if value is None else value))
    if not first:
        raise InputError("film-sweep: the run swept no trunk site; sweep with --sites trunk")
    return list(first.values())


def _site_frames(
    policy: Policy,
    maze: Maze,
    spec: SweepSpec,
    at: tuple[Sequence[tuple[str, float]], int],
    edit: Intervention,
    arrows: np.ndarray,
    levels: int,
    episodes: int,
    seconds: float,
    look: Look,
) -> Iterator[np.ndarray]:
    curve, number = at
    name, blindness = curve[number]
    tracks = rollouts(policy, maze, edit, episodes=episodes, seed=spec.seed, horizon=spec.horizon, condition=MAIN)
    start = [State(maze.mouse, maze.facing)]
    panels = [
        Panel("steered field", start, f"blindness {blindness:.2f} over {counted(levels, 'level')}", vectors=arrows)
    ]
    panels += [panel_of(track, title=f"rollout {k + 1}") for k, track in enumerate(tracks)]
    chart = curve_chart(
        [site.removeprefix("embedder.") for site, _ in curve],
        [value for _, value in curve],
        number + 1,
        (CHART_HEIGHT, film_width(len(panels), look.side) - 2 * GAP),
        "blindness",
    )
    stride = max(1, math.ceil(max(len(track) for track in tracks) / (seconds * look.fps)))
    header = f"{maze.label}, policy {policy.name}: cheese vector subtracted at {name} ({number + 1} of {len(curve)})"
    final = number + 1 == len(curve)
    paced = dataclasses.replace(look, stride=stride, card=0.0, hold=look.hold * (3 if final else 1))
    yield from grid_frames([(maze, panels)], header=header, look=paced, chart=chart)
