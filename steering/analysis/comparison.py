"""Paired comparison of runs: agents, coefficients of one run, or snapshots of one training.

All arms are read from their stores and cut to the mazes and trunk sites that all have, with the same bootstrap
resamples, so that differences are between arms and not between mazes. Nothing is computed by a network.
"""

from __future__ import annotations

import dataclasses
import itertools
import json
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from envs.errors import InputError, check_random_seed
from steering.analysis.compared_runs import ComparedRun, training_seeds
from steering.experiments.conditions import MAIN
from steering.experiments.outcome import ATTRACTION, COMPARED
from steering.statistics import bootstrap, paired
from steering.statistics.boundary import Boundary, Curves, agreed_thresholds, find_boundary, over_agents

FORMAT = "mazesteer-compare-1"
Distances = tuple[np.ndarray, np.ndarray]  # edited float[s, n], left alone float[n]


def compare(
    arms: Sequence[ComparedRun], *, seed: int = 0, blindness: float | None = None, competence: float | None = None
) -> dict[str, Any]:
    """All numbers of the comparison as plain data; the first arm is what the others are compared with.

    ``blindness``, ``competence``: thresholds of the boundary's rule; None: the runs' own. Raises :class:`InputError`
    if these differ, if the arms share no site or fewer than :data:`steering.statistics.bootstrap.FEWEST` mazes, or
    were swept with another horizon or mode.
    """
    first = arms[0]
    for arm in arms[1:]:
        for name in ("horizon", "mode"):
            here, there = getattr(first.spec, name), getattr(arm.spec, name)
            if here != there:
                raise InputError(f"compare: {first.name} has {name} {here}, {arm.name} {there}; sweep both alike")
    sites = [site for site in first.sites if all(site in arm.sites for arm in arms)]
    if not sites:
        raise InputError("compare: the runs have no trunk site in common; sweep all with the same --sites")
    levels = [level for level in first.levels if all(level in arm.levels for arm in arms)]
    if len(levels) < bootstrap.FEWEST:
        raise InputError(
            f"compare: the runs share {len(levels)} finished levels, {bootstrap.FEWEST} are needed; "
            "sweep the same --levels"
        )
    rng = np.random.default_rng(check_random_seed(seed))
    weights = bootstrap.counts(bootstrap.resamples(len(levels), rng))
    distances = [_distances(arm, sites, levels) for arm in arms]
    curves = [_curves(arm, sites, levels, pair, weights) for arm, pair in zip(arms, distances, strict=True)]
    rule = agreed_thresholds([arm.thresholds for arm in arms], blindness=blindness, competence=competence)
    boundaries = [find_boundary(curve, **rule) for curve in curves]
    found: dict[str, Any] = {
        "format": FORMAT,
        "levels": levels,
        "sites": sites,
        "classes": [first.facts[site]["equivalence_class"] for site in sites],
        "facts": [first.facts[site] for site in sites],
        "thresholds": rule,
        "horizon": first.spec.horizon,
        "mode": first.spec.mode,
        "seed": seed,
        "arms": [
            {
                "name": arm.name,
                "checkpoint": arm.spec.checkpoint,
                "sha256": arm.spec.sha256,
                "coefficient": arm.coefficient,
                "vector": arm.spec.vector,
                "seed": arm.spec.seed,
                "command": arm.command,
                "versions": arm.versions,
                "boundary": _boundary(boundary, arm.facts),
                "curve": _points(curve, pair, weights),
                "reference": {
                    world: {o: float(np.nanmean([getattr(arm, world)[lv][o] for lv in levels])) for o in COMPARED}
                    for world in ("clean", "no_cheese")
                },
                "tv_no_cheese": float(pair[1].mean()),
                "cheese": _cheese(arm, levels),
            }
            for arm, curve, pair, boundary in zip(arms, curves, distances, boundaries, strict=True)
        ],
        "differences": [
            _difference(first, arm, curves[0], curve, (distances[0], pair), levels, weights, boundaries[0], rng)
            for arm, curve, pair in zip(arms[1:], curves[1:], distances[1:], strict=True)
        ],
        "over_agents": None,
        "no_over_agents": None,
    }
    _adjust([effect for row in found["differences"] for effect in row["effects"].values()])
    if training_seeds(arms):
        undefined = [arm.name for arm, curve in zip(arms, curves, strict=True) if not np.isfinite(curve.blind).all()]
        if undefined:
            found["no_over_agents"] = f"the cheese changes nothing for {', '.join(undefined)}"
        else:
            found["over_agents"] = _boundary(over_agents(curves, rng, same_mazes=True, **rule), first.facts)
    cleaned = json.loads(json.dumps(found), parse_constant=lambda _: None)  # NaN: not defined
    assert isinstance(cleaned, dict)
    return cleaned


def _cheese(arm: ComparedRun, levels: Sequence[int]) -> list[dict[str, Any]]:
    """What the cheese does at all: paired effects of the agent left alone against the level without it."""
    found = []
    for outcome in ATTRACTION:
        with_it, without = ([world[level][outcome] for level in levels] for world in (arm.clean, arm.no_cheese))
        effect = paired.paired_effect(np.array(with_it), np.array(without), np.random.default_rng(arm.spec.seed))
        found.append({"outcome": outcome, **dataclasses.asdict(effect)})
    return found


def _boundary(found: Boundary, facts: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """The boundary, and whether its site is free (``affine``)."""
    affine = None if found.site is None else facts[found.site]["affine"]
    return {**dataclasses.asdict(found), "affine": affine}


def _curves(
    arm: ComparedRun, sites: Sequence[str], levels: Sequence[int], distances: Distances, weights: np.ndarray
) -> Curves:
    return Curves.of(
        sites,
        [arm.facts[site]["equivalence_class"] for site in sites],
        *distances,
        np.array([[arm.edited[level, site]["p_region_first"] for level in levels] for site in sites]),
        np.array([arm.no_cheese[level]["p_region_first"] for level in levels]),
        weights,
    )


def _distances(arm: ComparedRun, sites: Sequence[str], levels: Sequence[int]) -> Distances:
    """Distance to the policy without cheese: edited at each site ``float[s, n]``, and left alone ``float[n]``."""
    edited = np.array([[arm.edited[level, site]["tv_no_cheese"] for level in levels] for site in sites])
    clean = np.array([arm.clean[level]["tv_no_cheese"] for level in levels])
    # What is rounding is nothing: of an untrained agent all distances are so small that it would count.
    return np.where(edited <= bootstrap.TIE, 0.0, edited), np.where(clean <= bootstrap.TIE, 0.0, clean)


def _adjust(effects: Sequence[dict[str, Any]]) -> None:
    """Add ``p_holm``, over all of them, and ``words``."""
    for effect, p in zip(effects, paired.holm([effect["p"] for effect in effects]), strict=True):
        what = effect.pop("what")
        effect["words"] = paired.in_words(paired.PairedEffect(**effect), what, p)
        effect["p_holm"] = p


def _points(curve: Curves, distances: Distances, weights: np.ndarray) -> list[dict[str, Any]]:
    edited, clean = distances
    ends = [bootstrap.blindness_interval(row, clean, weights) for row in edited]
    return [
        {"site": site, "blindness": float(blind), "low": low, "high": high, "competence": float(able)}
        for site, blind, (low, high), able in zip(curve.sites, curve.blind, ends, curve.able, strict=True)
    ]


def _difference(
    first: ComparedRun,
    arm: ComparedRun,
    base: Curves,
    curve: Curves,
    distances: tuple[Distances, Distances],
    levels: Sequence[int],
    weights: np.ndarray,
    boundary: Boundary,
    rng: np.random.Generator,
) -> dict[str, Any]:
    """Second minus first: blindness per site, paired by maze, and outcomes maze by maze."""
    sites = curve.sites
    distinct = [group[0] for group in curve.groups]
    points = zip(sites, *bootstrap.difference_intervals(*distances, weights, distinct), strict=True)
    boot = curve.boot_blind - base.boot_blind
    larger = ((boot > bootstrap.TIE) + (np.abs(boot) <= bootstrap.TIE) / 2).mean(axis=0)
    site = boundary.site or sites[0]
    pairs = {MAIN: [(arm.edited[lv, site], first.edited[lv, site]) for lv in levels]}
    if arm.spec.sha256 != first.spec.sha256:  # else left alone they are the same by construction, and no test
        pairs = {"clean": [(arm.clean[lv], first.clean[lv]) for lv in levels], **pairs}
    effects: dict[str, Any] = {}
    for outcome, (world, rows) in itertools.product(COMPARED, pairs.items()):
        a, b = np.array([[row[outcome] for row in pair] for pair in rows]).T
        where = f"{outcome}, {world}" + (f" at {site}" if world == MAIN else "")
        effects[where] = {**dataclasses.asdict(paired.paired_effect(a, b, rng)), "what": where}
    return {
        "of": arm.name,
        "against": first.name,
        "blindness": [
            {
                "site": name,
                "difference": value,
                "low": value - one,
                "high": value + one,
                "band_low": value - most,
                "band_high": value + most,
                "larger": share if np.isfinite(value) else None,
            }
            for (name, value, one, most), share in zip(points, larger, strict=True)
        ],
        "effects": effects,
    }
