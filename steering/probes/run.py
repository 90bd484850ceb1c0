"""From options to ``probes.json``: what the ``probe`` command does, resumable site by site."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

from agents.checkpoints.zoo import load_policy
from agents.hardware import one_thread
from agents.networks.policy import Policy
from envs.errors import InputError, check_random_seed, told_if_stopped
from envs.files import write_atomic
from envs.maze import Maze
from steering.experiments.levels import SEARCH_LIMIT, parse_levels, qualifying_levels
from steering.interventions.sites import INPUT, Site, find_site, select_sites, site_facts
from steering.probes.curves import boundaries, decoding_tallies, probe_curves, tallies_to_json
from steering.probes.data import probe_data, shuffled
from steering.probes.position_dependence import position_sums
from steering.probes.scores import site_scores
from steering.probes.summary import interaction_tally, representation, summarize_probes
from steering.probes.surroundings import surroundings_moves
from steering.statistics import bootstrap
from steering.statistics.seeding import generator
from steering.sweep.artifacts import PROBES, read_json
from steering.sweep.spec import SweepSpec
from steering.sweep.store import run_directory

SCORES = "probe_scores.json"
SCORES_FORMAT = "mazesteer-probe-scores-2"
OLD_SCORES_FORMAT = "mazesteer-probes-1"  # next moves by maze only: of these scores the maps are taken
DEFAULT_LEVELS = 200
SHUFFLES = 10  # deep sites hold a few clusters of states: a shuffled probe is right or wrong about each as a whole


@dataclass(frozen=True)
class ProbeOptions:
    """The options of ``probe``, as typed. ``levels`` or ``n_levels``, or neither: the sweep's in ``out``, else 200."""

    checkpoint: str
    out: Path
    levels: str | None = None
    n_levels: int | None = None
    sites: str = "trunk"
    states: int = 8
    seed: int = 0
    mode: str | None = None


@dataclass(frozen=True)
class ProbeSpec:
    """What determines the numbers; ``levels``: seeds, ``states``: frames of each."""

    checkpoint: str
    sha256: str
    levels: tuple[int, ...]
    states: int
    seed: int
    mode: str


def run_probes(
    options: ProbeOptions, progress: Callable[[int, int], None] = lambda done, total: None
) -> dict[str, Any]:
    """Compute what is missing, write ``probes.json``, return what it holds. Raises :class:`InputError`.

    ``progress`` is told (sites done, sites).
    """
    policy, mazes, spec = _plan(options)
    sites = select_sites(options.sites, policy.net)
    if INPUT not in [site.name for site in sites]:  # the baseline of every comparison
        sites = [find_site(policy.net, INPUT), *sites]
    with run_directory(options.out) as directory, one_thread():
        known = _known(directory, spec)

        def stored() -> str:
            count = f"{_whole(known, sites)} of {len(sites)} sites are stored in {directory}"
            return f"mazesteer: stopped; {count}: type the same command to go on"

        with told_if_stopped(stored):
            scores = _site_by_site(policy, mazes, spec, sites, known, directory, progress)
        result = _result(policy, mazes, spec, sites, scores)
        write_atomic(directory / PROBES.file, (json.dumps(result, indent=1, allow_nan=False) + "\n").encode())
    return result


def _plan(options: ProbeOptions) -> tuple[Policy, list[Maze], ProbeSpec]:
    check_random_seed(options.seed)
    if options.states < 1:
        raise InputError(f"--states {options.states}: at least 1 state of each level is needed")
    if options.levels is not None and options.n_levels is not None:
        raise InputError("give --levels or --n-levels, not both")
    if options.n_levels is not None and options.n_levels < 1:
        raise InputError(f"--n-levels {options.n_levels}: at least 1 level is needed")
    policy = load_policy(options.checkpoint)
    sweep = SweepSpec.load(options.out) if (options.out / "spec.json").is_file() else None
    if sweep is not None and sweep.sha256 != policy.sha256:
        raise InputError(f"{options.out} is a sweep of {sweep.checkpoint}, not of {policy.name}; choose another --out")
    mode = options.mode or (sweep.mode if sweep is not None else "hard")
    if options.levels is not None:
        mazes, _ = qualifying_levels(parse_levels(options.levels), mode=mode)
    elif options.n_levels is None and sweep is not None and sweep.mode == mode:
        mazes = Maze.from_levels(sweep.levels, mode)
    else:
        mazes, _ = qualifying_levels(range(SEARCH_LIMIT), options.n_levels or DEFAULT_LEVELS, mode)
    levels = tuple(int(maze.level or 0) for maze in mazes)
    return policy, mazes, ProbeSpec(policy.name, policy.sha256, levels, options.states, options.seed, mode)


def _site_by_site(
    policy: Policy,
    mazes: list[Maze],
    spec: ProbeSpec,
    sites: list[Site],
    known: dict[str, Any],
    directory: Path,
    progress: Callable[[int, int], None],
) -> dict[str, Any]:
    """Scores of ``sites``; ``known`` takes each new one, and the file with it. A site without ``moves`` lacks them."""
    data = probe_data(policy, mazes, spec.states, spec.seed)
    controls = [shuffled(data, generator(spec.seed, 0, "shuffled labels", draw)) for draw in range(SHUFFLES)]
    progress(_whole(known, sites), len(sites))
    for site in sites:
        kept = known.get(site.name, {})
        if "moves" not in kept:
            known[site.name] = site_scores(policy, data, site.name, controls, kept)
            stored = {"format": SCORES_FORMAT, "spec": asdict(spec), "scores": known}
            write_atomic(directory / SCORES, json.dumps(stored).encode())
        progress(_whole(known, sites), len(sites))
    found = {"maze": data.maze, "fold": data.fold, "moves": data.moves, "sites": known}
    return {**found, "surroundings": surroundings_moves(data)}


def _whole(known: Mapping[str, Any], sites: Sequence[Site]) -> int:
    return sum("moves" in known.get(site.name, {}) for site in sites)


def _result(
    policy: Policy, mazes: list[Maze], spec: ProbeSpec, sites: list[Site], scores: dict[str, Any]
) -> dict[str, Any]:
    samples = bootstrap.resamples(len(mazes), np.random.default_rng(spec.seed))
    facts, names = site_facts(tuple(sites)), [site.name for site in sites]
    sums = position_sums(policy, mazes, sites, spec.states, spec.seed)
    tallies = {**decoding_tallies(names, scores), "interaction": interaction_tally(sums)}
    curves = probe_curves(tallies, samples)
    return {
        "format": PROBES.format,
        "checkpoint": {"name": spec.checkpoint, "sha256": spec.sha256},
        "levels": list(spec.levels),
        "states": spec.states,
        "frames": len(scores["maze"]),
        "seed": spec.seed,
        "mode": spec.mode,
        "shuffles": SHUFFLES,
        "versions": {name: version(name) for name in ("mazesteer", "numpy", "scikit-learn", "torch")},
        **summarize_probes(facts, scores, curves, samples),
        "representation": representation(sums, names, samples),
        **boundaries(facts, curves),
        "tallies": tallies_to_json(tallies),
    }


def _known(directory: Path, spec: ProbeSpec) -> dict[str, Any]:
    """Scores by site that an earlier command left, those of an earlier version in part; raises :class:`InputError` if
    they are of other levels or options."""
    found = read_json(directory / SCORES)
    if not found:
        return {}
    old = found.get("format") == OLD_SCORES_FORMAT
    if not (old or found.get("format") == SCORES_FORMAT) or found.get("spec") != json.loads(json.dumps(asdict(spec))):
        raise InputError(
            f"{directory / SCORES} belongs to another checkpoint, other levels, states, seed or mode; "
            "choose another --out, or delete it"
        )
    return {site: {"map": scores["map"]} if old else scores for site, scores in found["scores"].items()}
