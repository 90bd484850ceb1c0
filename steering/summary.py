"""From stored results to the numbers a reader wants: ``summary.json``, made from the store only."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from agents.checkpoints import write_atomic
from envs.errors import InputError
from steering import boundary, stats
from steering.effects import Columns, OutcomeTable, effects
from steering.evaluate import OUTCOME_FIELDS
from steering.plan import ALL_SITES, SweepSpec
from steering.profiles import PROFILE_SUMS
from steering.sites import Site
from steering.store import Store

MAIN = "subtract"
NO_TRICK = ("random", "add", "other_level")  # controls that must not blind as deep as subtraction
CONTROLS = (*NO_TRICK, "same_cell")
WIDE = 2 / 3  # of the distinct experiments: an interval over so many says nothing


def site_facts(sites: tuple[Site, ...]) -> list[dict[str, Any]]:
    """What a report says of each site, as plain data for the store."""
    return [
        {
            "name": site.name,
            "depth": site.depth,
            "shape": list(site.shape),
            "trunk": site.trunk,
            "affine": site.affine,
            "equivalence_class": site.equivalence_class,
            "receptive_field": site.receptive_field,
        }
        for site in sites
    ]


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
        for condition in (c for c in spec.conditions if c != ALL_SITES):
            for coefficient in spec.coefficients:
                label = condition if coefficient == spec.coefficients[0] else f"{condition} x{coefficient:g}"
                columns = table.condition(condition, name, coefficient)
                conditions[label] = _condition(columns, clean, oracle, weights, coefficient)
        kept = ("name", "depth", "shape", "trunk", "affine", "equivalence_class", "receptive_field")
        facts = {key: table.facts[name][key] for key in kept}
        sites.append({**facts, "conditions": conditions, **position_curve(bins.get(name, {}))})
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
            "clean": {f: float(np.nanmean(clean[f])) for f in OUTCOME_FIELDS},
            "no_cheese": {f: float(np.nanmean(oracle[f])) for f in OUTCOME_FIELDS},
        },
        "sites": sites,
        "all_sites": [
            _condition(table.condition(ALL_SITES, coefficient=c), clean, oracle, weights, c)
            for c in (spec.coefficients if ALL_SITES in spec.conditions else ())
        ],
        "boundary": boundary_readings(table, weights, blindness, competence),
        "effects": effects(table),
    }
    cleaned = _without_nan(summary)
    assert isinstance(cleaned, dict)
    return cleaned


def thresholds(store: Store) -> dict[str, float]:
    """``blindness`` and ``competence`` of a run's last sweep command; the defaults where none are recorded."""
    found: dict[str, float] = store.meta(
        "thresholds", {"blindness": boundary.BLINDNESS, "competence": boundary.COMPETENCE}
    )
    return found


def maze_weights(table: OutcomeTable) -> np.ndarray:
    """``float64[draws, n_levels]``: the resamples of mazes behind all intervals of a run, a function of its seed."""
    return stats.counts(stats.resamples(len(table.levels), np.random.default_rng(table.spec.seed)))


def trunk_curves(table: OutcomeTable, weights: np.ndarray, condition: str = MAIN) -> boundary.Curves | None:
    """The curves of a condition over the trunk sites swept; None without any."""
    names = table.trunk()
    if not names or condition not in table.spec.conditions:
        return None
    columns = [table.condition(condition, name) for name in names]
    return boundary.Curves.of(
        names,
        [table.facts[name]["equivalence_class"] for name in names],
        np.array([each["tv_no_cheese"] for each in columns]),
        table.reference("clean")["tv_no_cheese"],
        np.array([each["p_region_first"] for each in columns]),
        table.reference("no_cheese")["p_region_first"],
        weights,
    )


def boundary_readings(table: OutcomeTable, weights: np.ndarray, blindness: float, competence: float) -> dict[str, Any]:
    """Everything of ``summary["boundary"]``; null and empty where no trunk site was swept."""
    curves = trunk_curves(table, weights)
    if curves is None:
        nothing = {f.name: None for f in dataclasses.fields(boundary.Boundary)}
        return {**nothing, "affine": None, "by_threshold": {}, "threshold_curve": [], "controls": {}}
    found = boundary.find_boundary(curves, blindness=blindness, competence=competence)
    curve = boundary.threshold_curve(curves, competence)
    controls = {c: trunk_curves(table, weights, c) for c in CONTROLS}
    affine: dict[str | None, bool | None] = {None: None}
    affine |= {name: table.facts[name]["affine"] for name in curves.sites}
    return {
        **dataclasses.asdict(found),
        "affine": affine[found.site],
        "by_threshold": {f"{threshold:g}": reach.site for threshold, reach in curve},
        "threshold_curve": [
            {"threshold": threshold, **dataclasses.asdict(reach), "affine": affine[reach.site]}
            for threshold, reach in curve
        ],
        "controls": {
            condition: dataclasses.asdict(boundary.reach(each, blindness, None))
            for condition, each in controls.items()
            if each is not None
        },
    }


def agents_boundary(
    directories: Sequence[Path], *, blindness: float | None = None, competence: float | None = None, seed: int = 0
) -> boundary.Boundary:
    """The boundary over the agents of several finished runs: :func:`steering.boundary.over_agents`.

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
    """Per site and (distance, outside): ``float64[5]``, the number of states and the sums of its profiles, pooled."""
    wanted, bins = set(levels), {}  # type: ignore[var-annotated]
    for profile in store.profiles():
        if profile.level in wanted and profile.coefficient == coefficient:
            sums = np.array([profile.states, *(getattr(profile, name) for name in PROFILE_SUMS)])
            site = bins.setdefault(profile.site, {})
            at = (profile.distance, profile.outside)
            site[at] = site.get(at, 0.0) + sums
    return bins


def position_curve(bins: dict[tuple[int, int], np.ndarray]) -> dict[str, Any]:
    """Blindness and interaction of one site by distance, and interaction inside and outside the receptive field."""

    def pooled(chosen: list[np.ndarray]) -> dict[str, Any]:
        states, tv, tv_clean, rest, difference = np.sum(chosen, axis=0) if chosen else np.zeros(1 + len(PROFILE_SUMS))
        return {
            "states": int(states),
            "blindness": float(stats.blindness(np.array([tv]), np.array([tv_clean]))),
            "interaction": float(rest / difference) if difference > 0 else float("nan"),
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


def answer(summary: dict[str, Any]) -> str:
    """The finding in words, from the numbers alone, in at most three sentences; says when they do not support one."""
    found = summary["boundary"]
    count = len(summary["levels"]["used"])
    name = summary["checkpoint"]["name"]
    if found["rule"] is None:
        return "No trunk site was swept under `subtract`, so these results say nothing about the boundary."
    first = next(s for s in summary["sites"] if s["trunk"] and MAIN in s["conditions"])
    if first["conditions"][MAIN]["blindness"] is None or first["conditions"][MAIN]["competence"] is None:
        return f"For {name} the question has no answer: the cheese changes nothing or the top right is never reached."
    where = f"up to {found['site']} (95% interval {found['low'] or 'none'} to {found['high']}, {count} mazes)"
    blind = {s["name"]: s["conditions"][MAIN]["blindness"] for s in summary["sites"] if MAIN in s["conditions"]}
    if found["site"] is None:
        text = f"For {name} on {count} mazes subtracting the cheese vector works nowhere, not even at {first['name']}."
    elif found["next_site"] is None:
        text = f"For {name} subtracting the cheese vector acts like removing the cheese at every site swept: {where}."
    else:
        text = (
            f"For {name} subtracting the cheese vector still acts like removing the cheese {where}; it stops working "
            f"at {found['next_site']} (blindness {blind[found['site']]:.2f} -> {blind[found['next_site']]:.2f})."
        )
    if reasons := doubts(summary):
        text += f" These numbers do not support a conclusion about where planning begins: {'; '.join(reasons)}."
    elif found["site"] is not None and found["change_site"] is not None:
        text += (
            f" The second reading, the curve's change-point: {found['change_site']} "
            f"(95% interval {found['change_low']} to {found['change_high']})."
        )
    if found["site"] is not None and found["controls"]:
        reached = (f"{c} {_to(reach['site'])}" for c, reach in found["controls"].items())
        text += f" Controls, by blindness alone: {', '.join(reached)}."
    return text


def doubts(summary: dict[str, Any]) -> list[str]:
    """Why the numbers do not support a conclusion about where planning begins; empty if they do."""
    found, count = summary["boundary"], len(summary["levels"]["used"])
    reasons = []
    if count < stats.FEW:
        reasons.append(f"{count} {'maze is' if count == 1 else 'mazes are'} too few (at least {stats.FEW})")
    cheese = [e for e in summary["effects"] if e["condition"] == "clean" and e["low"] is not None]
    if cheese and all(e["low"] <= 0 <= e["high"] for e in cheese if e["outcome"].startswith("p_cheese")):
        reasons.append("the cheese does not measurably change what the agent does")
    if found["affine"]:
        reasons.append(f"up to {found['site']} the network is affine in the pixels, so success there is free")
    trunk = {s["name"]: s["equivalence_class"] for s in summary["sites"] if s["trunk"] and MAIN in s["conditions"]}
    order = list(dict.fromkeys(trunk.values()))
    depth: dict[str | None, int] = {None: 0}
    depth |= {name: order.index(kind) + 1 for name, kind in trunk.items()}
    span = depth[found["high"]] - depth[found["low"]]
    if span >= WIDE * len(order):
        reasons.append(f"the interval covers {span} of {len(order)} distinct experiments")
    for condition in NO_TRICK:
        reach = found["controls"].get(condition, {"site": None})["site"]
        if found["site"] is not None and depth[reach] >= depth[found["site"]]:
            reasons.append(f"the control {condition} is as blind ({_to(reach)})")
    if found["change_low"] is not None and (
        depth[found["change_low"]] > depth[found["high"]] or depth[found["change_high"]] < depth[found["low"]]
    ):
        reasons.append(f"the curve's change-point lies elsewhere ({found['change_low']} to {found['change_high']})")
    return reasons


def _to(site: str | None) -> str:
    return "nowhere" if site is None else f"up to {site}"


def _condition(
    columns: Columns, clean: Columns, oracle: Columns, weights: np.ndarray, coefficient: float
) -> dict[str, float]:
    blind = columns["tv_no_cheese"], clean["tv_no_cheese"]
    able = columns["p_region_first"], oracle["p_region_first"]
    low, high = stats.blindness_interval(*blind, weights)
    able_low, able_high = map(float, stats.interval(stats.competence(*able, weights)))
    return {
        "coefficient": coefficient,
        "blindness": float(stats.blindness(*blind)),
        "blindness_low": low,
        "blindness_high": high,
        "competence": float(stats.competence(*able)),
        "competence_low": able_low,
        "competence_high": able_high,
        **{f: float(np.nanmean(columns[f])) for f in OUTCOME_FIELDS},
    }


def _without_nan(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _without_nan(v) for key, v in value.items()}
    if isinstance(value, list):
        return [_without_nan(v) for v in value]
    return None if isinstance(value, float) and not np.isfinite(value) else value
