"""From options to ``probes.json``: what the ``probe`` command does, resumable site by site."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

import numpy as np

from agents.checkpoints.zoo import load_stated
from agents.hardware import check_memory, on_device, one_thread
from agents.networks.policy import Policy, device_of
from envs.errors import RANGES, InputError, check_random_seed, counted, stopped_with, told_if_stopped
from envs.files import write_atomic
from envs.maze import Maze
from envs.stored.json_records import from_plain, read_json, to_json, to_plain
from steering.experiments.levels import Skip, check_levels_asked, parse_levels
from steering.interventions.sites import INPUT, Site, find_site, select_sites
from steering.measuring.beside_sweep import MeasureOptions, mazes_beside_sweep
from steering.probes.curves import Tally, boundaries, decoding_tallies, probe_curves, tallies_to_json
from steering.probes.data import probe_data, shuffled
from steering.probes.position_dependence import interaction_tally, position_sums, representation
from steering.probes.score_records import (
    KeptMaps,
    Known,
    ProbeScores,
    ProbeSpec,
    SiteScores,
    StoredScores,
    check_scores,
)
from steering.probes.scores import site_scores
from steering.probes.summary import summarize_probes
from steering.probes.surroundings import surroundings_moves
from steering.records.probes import INTERACTION, ProbeSummary
from steering.records.sites import site_facts
from steering.records.sweep import CheckpointId
from steering.statistics import bootstrap
from steering.statistics.seeding import generator
from steering.sweep.artifacts import PROBES
from steering.sweep.store import run_directory

SCORES = "probe_scores.json"
MOST_SCORES = 2**27  # bytes of that file: of some 30,000 frames at all sites
SCORES_FORMAT = "mazesteer-probe-scores-2"
OLD_SCORES_FORMAT = "mazesteer-probes-1"  # next moves by maze only: of these scores the maps are taken
ANOTHER = "choose another --out, or delete it"
DEFAULT_LEVELS = 200
BYTES_PER_VALUE = 12  # of memory, for each activation of each frame: the map, and copies to fit readouts
SHUFFLES = 10  # deep sites hold a few clusters of states: a shuffled probe is right or wrong about each as a whole


@dataclass(frozen=True)
class ProbeOptions(MeasureOptions):
    """The options of ``probe``, as typed."""

    sites: str = "trunk"
    """``trunk``, ``all``, or names separated by commas."""
    states: int = 8
    """Frames of each level, at least 1."""


def run_probes(
    options: ProbeOptions,
    progress: Callable[[int, int], None] = lambda done, total: None,
    left_out: Callable[[Sequence[Skip]], None] = lambda skipped: None,
) -> ProbeSummary:
    """Compute what is missing, write ``probes.json``, and return what it holds.

    Args:
        options: what to probe, on which levels, and where to keep it.
        progress: told after each site: sites done, sites.
        left_out: told the levels that were looked at and do not qualify.

    Returns:
        The content of ``probes.json``: readings at each site, with 95% intervals over mazes.

    Raises:
        InputError: in one line, for options that cannot be met, a directory in use, or stored scores of other options.
    """
    policy, mazes, spec = _plan(options, progress, left_out)
    sites = select_sites(options.sites, policy.net)
    if INPUT not in [site.name for site in sites]:  # the baseline of every comparison
        sites = [find_site(policy.net, INPUT), *sites]
    with run_directory(options.out) as directory, one_thread():
        known = _known(directory, spec)

        def stored() -> str:
            return stopped_with(f"{len(_whole(known, sites))} of {counted(len(sites), 'site')}", directory)

        with told_if_stopped(stored):
            scores = _site_by_site(policy, mazes, spec, sites, known, directory, progress)
        result = _result(policy, mazes, spec, sites, scores)
        write_atomic(directory / PROBES.file, to_json(result, indent=1))
    return result


def _plan(
    options: ProbeOptions, progress: Callable[[int, int], None], left_out: Callable[[Sequence[Skip]], None]
) -> tuple[Policy, list[Maze], ProbeSpec]:
    """Return the agent, the mazes and what determines the numbers; raise :class:`InputError` for wrong options."""
    _check(options)
    policy = on_device(load_stated(options.checkpoint, options.stated), options.device)
    largest = max(site.size for site in select_sites(options.sites, policy.net))
    asked = options.n_levels or DEFAULT_LEVELS if options.levels is None else len(parse_levels(options.levels))
    check_memory(asked * options.states * largest * BYTES_PER_VALUE, f"probes of {asked * options.states:,} frames")
    mazes, mode = mazes_beside_sweep(options, policy, progress, default=DEFAULT_LEVELS, left_out=left_out)
    levels = tuple(int(maze.level or 0) for maze in mazes)
    return (
        policy,
        mazes,
        ProbeSpec(policy.name, policy.sha256, levels, options.states, options.seed, mode, device_of(policy.net).type),
    )


def _check(options: ProbeOptions) -> None:
    """Raise :class:`InputError` for numbers that mean nothing."""
    check_random_seed(options.seed)
    RANGES["states"].check(options.states)
    check_levels_asked(options.levels, options.n_levels)


def _site_by_site(
    policy: Policy,
    mazes: list[Maze],
    spec: ProbeSpec,
    sites: list[Site],
    known: Known,
    directory: Path,
    progress: Callable[[int, int], None],
) -> ProbeScores:
    """Return the scores of ``sites``; ``known`` takes each new one, and the file with it."""
    data = probe_data(policy, mazes, spec.states, spec.seed)
    controls = [shuffled(data, generator(spec.seed, 0, "shuffled labels", draw)) for draw in range(SHUFFLES)]
    check_scores(known, len(data.maze), len(mazes), directory / SCORES, ANOTHER)
    progress(len(_whole(known, sites)), len(sites))
    for site in sites:
        kept = known.get(site.name)
        if not isinstance(kept, SiteScores):
            known[site.name] = site_scores(policy, data, site.name, controls, kept)
            stored = {"format": SCORES_FORMAT, "spec": spec, "scores": known}
            write_atomic(directory / SCORES, to_json(stored).rstrip())
        progress(len(_whole(known, sites)), len(sites))
    return ProbeScores(
        maze=data.maze,
        fold=data.fold,
        moves=data.moves,
        surroundings=surroundings_moves(data),
        sites=_whole(known, sites),
    )


def _whole(known: Known, sites: Sequence[Site]) -> Mapping[str, SiteScores]:
    """Return those of ``sites`` whose scores are known in full."""
    found = {site.name: known.get(site.name) for site in sites}
    return {name: scores for name, scores in found.items() if isinstance(scores, SiteScores)}


def _result(policy: Policy, mazes: list[Maze], spec: ProbeSpec, sites: list[Site], scores: ProbeScores) -> ProbeSummary:
    """Return everything that ``probes.json`` says."""
    samples = bootstrap.resamples(len(mazes), np.random.default_rng(spec.seed))
    facts, names = site_facts(sites), [site.name for site in sites]
    sums = position_sums(policy, mazes, sites, spec.states, spec.seed)
    tallies: dict[str, Tally] = {**decoding_tallies(names, scores), INTERACTION: interaction_tally(sums)}
    curves = probe_curves(tallies, samples)
    decoded, edges = summarize_probes(facts, scores, curves, samples), boundaries(facts, curves)
    return ProbeSummary(
        format=PROBES.format,
        checkpoint=CheckpointId(spec.checkpoint, spec.sha256),
        levels=spec.levels,
        states=spec.states,
        frames=len(scores.maze),
        seed=spec.seed,
        mode=spec.mode,
        device=spec.device,
        shuffles=SHUFFLES,
        versions={name: version(name) for name in ("mazesteer", "numpy", "scikit-learn", "torch")},
        asked=decoded.asked,
        majority=decoded.majority,
        surroundings=decoded.surroundings,
        sites=decoded.sites,
        representation=representation(sums, names, samples),
        decoding_boundary=edges.decoding_boundary,
        representational_boundary=edges.representational_boundary,
        tallies=tallies_to_json(tallies),
    )


def _known(directory: Path, spec: ProbeSpec) -> Known:
    """Return the scores by site that an earlier command left, those of an earlier version in part.

    Raises:
        InputError: if they are of other levels or options, or damaged.
    """
    path, remedy = directory / SCORES, ANOTHER
    if not os.path.lexists(path):
        return {}
    stored = from_plain(read_json(path, remedy, MOST_SCORES), StoredScores, path, remedy)
    asked = {"device": "cpu", **stored.spec}  # earlier versions knew no other
    if stored.format not in (SCORES_FORMAT, OLD_SCORES_FORMAT) or asked != to_plain(spec):
        raise InputError(f"{path} belongs to another checkpoint, other levels, states, seed, mode or device; {remedy}")
    known: Known = {}
    for name, site in stored.scores.items():
        where = f"{path}: {name}"
        if stored.format == OLD_SCORES_FORMAT and isinstance(site, dict):
            site = {key: part for key, part in site.items() if key == "map"}
        if isinstance(site, dict) and "moves" in site:
            known[name] = from_plain(site, SiteScores, where, remedy)
        else:
            known[name] = from_plain(site, KeptMaps, where, remedy)
    return known
