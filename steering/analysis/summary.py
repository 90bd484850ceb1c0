"""From stored results to the numbers a reader wants: ``summary.json``, made from the store only."""

from __future__ import annotations

import dataclasses
import json
import operator
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from envs.errors import InputError
from envs.files import write_atomic
from steering.analysis.paired_effects import effects
from steering.experiments.conditions import ALL_SITES, BY_NAME, CONTROLS, MAIN
from steering.experiments.outcome import OUTCOME_FIELDS, PROFILE_SUMS
from steering.statistics import bootstrap, boundary
from steering.sweep.outcome_table import Columns, OutcomeTable
from steering.sweep.spec import SweepSpec, labelled
from steering.sweep.store import Store, thresholds

_SUMS_OF = operator.attrgetter(*PROFILE_SUMS)


def summarize(
    store: Store,
    spec: SweepSpec,
    *,
    blindness: float = boundary.BLINDNESS,
    competence: float = boundary.COMPETENCE,
) -> dict[str, Any]:
    """All numbers of ``summary.json`` (see docs/outputs.md), with intervals over mazes."""
    table = OutcomeTable.read(store, spec)
    weights = maze_weights(table)
    clean, oracle = table.reference("clean"), table.reference("no_cheese")
    bins = position_bins(store, table.levels, spec.coefficients[0])
    sites = []
    for name in spec.sites:
        conditions = {}
        for condition in (c for c in spec.conditions if BY_NAME[c].at_one_site):
            for coefficient in spec.coefficients:
                label = labelled(spec, condition, coefficient)
                columns = table.condition(condition, name, coefficient)
                conditions[label] = _condition(columns, clean, oracle, weights, coefficient)
        kept = ("name", "depth", "shape", "trunk", "affine", "equivalence_class", "receptive_field")
        facts = {key: table.facts[name][key] for key in kept}
        sites.append({**facts, "conditions": conditions, **position_curve(bins.get(name, {}), weights)})
    asked = set(spec.skipped)
    skipped = [(level, reason) for level, _, reason in store.levels() if level in asked]
    summary: dict[str, Any] = {
        "checkpoint": {"name": spec.checkpoint, "sha256": spec.sha256},
        "levels": {"used": table.levels, "skipped": [{"level": lv, "reason": reason} for lv, reason in skipped]},
        "horizon": spec.horizon,
        "seed": spec.seed,
        "coefficients": list(spec.coefficients),
        "vector": spec.vector,
        "reference": {
            "clean": {
                **{f: float(np.nanmean(clean[f])) for f in OUTCOME_FIELDS},
                "competence": float(bootstrap.competence(clean["p_region_first"], oracle["p_region_first"])),
            },
            "no_cheese": {f: float(np.nanmean(oracle[f])) for f in OUTCOME_FIELDS},
        },
        "sites": sites,
        "all_sites": [
            _condition(table.condition(ALL_SITES, coefficient=c), clean, oracle, weights, c)
            for c in (spec.coefficients if ALL_SITES in spec.conditions else ())
        ],
        "boundary": boundary_readings(table, weights, sites, blindness, competence),
        "effects": effects(table),
    }
    cleaned = _without_nan(summary)
    assert isinstance(cleaned, dict)
    return cleaned


def maze_weights(table: OutcomeTable) -> np.ndarray:
    """``float64[draws, n_levels]``: the resamples of mazes behind all intervals of a run, a function of its seed."""
    return bootstrap.counts(bootstrap.resamples(len(table.levels), np.random.default_rng(table.spec.seed)))


def trunk_curves(table: OutcomeTable, weights: np.ndarray, condition: str = MAIN) -> boundary.Curves | None:
    """The curves of a condition over the trunk sites swept; None without any."""
    names = table.trunk()
    if not names or condition not in table.spec.conditions:
        return None
    columns = [table.condition(condition, name) for name in names]
    return boundary.Curves.of(
        names,
        table.classes(condition),
        np.array([each["tv_no_cheese"] for each in columns]),
        table.reference("clean")["tv_no_cheese"],
        np.array([each["p_region_first"] for each in columns]),
        table.reference("no_cheese")["p_region_first"],
        weights,
    )


def boundary_readings(
    table: OutcomeTable, weights: np.ndarray, sites: Sequence[dict[str, Any]], blindness: float, competence: float
) -> dict[str, Any]:
    """All of ``summary["boundary"]``, ``sites`` being ``summary["sites"]``; null and empty without trunk sites."""
    curves = trunk_curves(table, weights)
    asked = {"thresholds": {"blindness": blindness, "competence": competence}}
    if curves is None:
        nothing = {f.name: None for f in dataclasses.fields(boundary.Boundary)}
        return {**nothing, **asked, "affine": None, "by_threshold": {}, "threshold_curve": [], "competence_curve": [],
                "blindness_alone": dict.fromkeys(("site", "low", "high")), "controls": {}}  # fmt: skip
    found = boundary.find_boundary(curves, blindness=blindness, competence=competence)
    controls = {c: trunk_curves(table, weights, c) for c in CONTROLS}
    affine: dict[str | None, bool | None] = {None: None}
    affine |= {name: table.facts[name]["affine"] for name in curves.sites}
    by_blindness, by_competence = (
        [{"threshold": least, **dataclasses.asdict(reach), "affine": affine[reach.site]} for least, reach in each]
        for each in (boundary.threshold_curve(curves, competence), boundary.competence_curve(curves, blindness))
    )
    trunk = [site for site in sites if site["trunk"]]
    return {
        **dataclasses.asdict(found),
        **asked,
        "affine": affine[found.site],
        "by_threshold": {f"{row['threshold']:g}": row["site"] for row in by_blindness},
        "threshold_curve": by_blindness,
        "competence_curve": by_competence,
        "controls": {
            condition: {
                "there": _blind([site for site in trunk if site["name"] == found.site], condition),
                "most": _blind([site for site in trunk if not site["affine"]], condition),
                "reach": dataclasses.asdict(boundary.reach(each, blindness, None)),
                "change": dataclasses.asdict(boundary.change(each)),
            }
            for condition, each in controls.items()
            if each is not None
        },
    }


def _blind(sites: Sequence[dict[str, Any]], condition: str) -> dict[str, Any] | None:
    """Where of ``sites`` a condition blinds most, how much, and the interval; None without a site or a number."""
    keys = {"blindness": "blindness", "low": "blindness_low", "high": "blindness_high"}
    rows = [{"site": site["name"], **{key: site["conditions"][condition][name] for key, name in keys.items()}}
            for site in sites]  # fmt: skip
    rows = [row for row in rows if np.isfinite(row["blindness"])]
    return max(rows, key=lambda row: float(row["blindness"]), default=None)


def agents_boundary(
    directories: Sequence[Path], *, blindness: float | None = None, competence: float | None = None, seed: int = 0
) -> boundary.Boundary:
    """The boundary over the agents of several finished runs: :func:`steering.statistics.boundary.over_agents`.

    Thresholds that are None are the runs' own. Raises :class:`InputError` for runs that cannot be read, were not swept
    at the same sites, or have other thresholds than one another.
    """
    curves, mazes, known = [], set(), []
    for directory in directories:
        table = OutcomeTable.open(directory)
        with Store.open(directory) as store:
            known.append(thresholds(store))
        found = trunk_curves(table, maze_weights(table))
        if found is None:
            raise InputError(f"{directory}: no trunk site was swept under `{MAIN}`")
        curves.append(found)
        mazes.add((tuple(table.levels), table.spec.mode, table.spec.seed))
    rng = np.random.default_rng(seed)
    rule = boundary.agreed_thresholds(known, blindness=blindness, competence=competence)
    return boundary.over_agents(curves, rng, same_mazes=len(mazes) == 1, **rule)


def position_bins(
    store: Store, levels: Sequence[int], coefficient: float
) -> dict[str, dict[tuple[int, int], np.ndarray]]:
    """Per site and (distance, outside): ``float64[n_levels, 5]``, the number of states and the sums of the profiles."""
    row = {level: k for k, level in enumerate(levels)}
    bins: dict[str, dict[tuple[int, int], np.ndarray]] = {}
    for profile in store.profiles():
        if profile.level in row and profile.coefficient == coefficient:
            site = bins.setdefault(profile.site, {})
            place = profile.distance, profile.outside
            sums = site.get(place)
            if sums is None:
                sums = site[place] = np.zeros((len(levels), 1 + len(PROFILE_SUMS)))
            sums[row[profile.level]] += [profile.states, *_SUMS_OF(profile)]
    return bins


def position_curve(bins: dict[tuple[int, int], np.ndarray], weights: np.ndarray) -> dict[str, Any]:
    """Blindness and interaction of one site by distance, inside and outside the receptive field, with intervals.

    ``bins`` is one site's of :func:`position_bins`, ``weights`` the resamples of :func:`maze_weights`.
    """

    def pooled(chosen: list[np.ndarray]) -> dict[str, Any]:
        empty = np.zeros((weights.shape[1], 1 + len(PROFILE_SUMS)))
        states, tv, tv_clean, rest, difference = np.sum(chosen or [empty], axis=0).T
        low, high = bootstrap.blindness_interval(tv, tv_clean, weights)
        rest_low, rest_high = bootstrap.ratio_interval(rest, difference, weights)
        return {
            "states": int(states.sum()),
            "mazes": int(np.count_nonzero(states)),
            "blindness": float(bootstrap.blindness(tv, tv_clean)),
            "blindness_low": low,
            "blindness_high": high,
            "interaction": float(bootstrap.quotient(rest.sum(), difference.sum())),
            "interaction_low": rest_low,
            "interaction_high": rest_high,
        }

    distances = sorted({distance for distance, _ in bins})
    fields = {"inside": 0, "outside": 1}
    curve = [
        {
            "distance": distance,
            **pooled([sums for (at, _), sums in bins.items() if at == distance]),
            **{
                name: pooled([sums for at, sums in bins.items() if at == (distance, flag)])
                for name, flag in fields.items()
            },
        }
        for distance in distances
    ]
    split = {name: pooled([sums for (_, o), sums in bins.items() if o == flag]) for name, flag in fields.items()}
    return {"position_curve": curve, "receptive_field_split": split}


def write_summary(summary: dict[str, Any], path: Path) -> None:
    """Write ``summary.json`` (whole or not at all)."""
    write_atomic(path, (json.dumps(summary, indent=2, allow_nan=False) + "\n").encode())


def _condition(
    columns: Columns, clean: Columns, oracle: Columns, weights: np.ndarray, coefficient: float
) -> dict[str, float]:
    blind = columns["tv_no_cheese"], clean["tv_no_cheese"]
    able = columns["p_region_first"], oracle["p_region_first"]
    visited = columns["tv_no_cheese_occupancy"], clean["tv_no_cheese_occupancy"]
    visited_low, visited_high = bootstrap.blindness_interval(*visited, weights)
    low, high = bootstrap.blindness_interval(*blind, weights)
    able_low, able_high = bootstrap.ratio_interval(*able, weights)
    return {
        "coefficient": coefficient,
        "blindness": float(bootstrap.blindness(*blind)),
        "blindness_low": low,
        "blindness_high": high,
        "competence": float(bootstrap.competence(*able)),
        "competence_low": able_low,
        "competence_high": able_high,
        **{f: float(np.nanmean(columns[f])) for f in OUTCOME_FIELDS},
        "blindness_occupancy": float(bootstrap.blindness(*visited)),
        "blindness_occupancy_low": visited_low,
        "blindness_occupancy_high": visited_high,
    }


def _without_nan(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _without_nan(v) for key, v in value.items()}
    if isinstance(value, list):
        return [_without_nan(v) for v in value]
    return None if isinstance(value, float) and not np.isfinite(value) else value
