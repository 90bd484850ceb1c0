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
from steering.evaluate import OUTCOME_FIELDS, Outcome
from steering.plan import ALL_SITES, SweepSpec
from steering.profiles import PROFILE_SUMS
from steering.sites import Site
from steering.store import Key, Store

MAIN = "subtract"


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
    table = {row.key: row.outcome for row in store.rows()}
    levels = [level for level in spec.levels if all(key in table for key in spec.keys(level))]
    if not levels:
        raise InputError(f"{store.path.parent}: no level is finished yet; type the sweep's command again")
    samples = stats.resamples(len(levels), np.random.default_rng(spec.seed))
    clean = _columns(table, [Key(level, "clean") for level in levels])
    oracle = _columns(table, [Key(level, "no_cheese") for level in levels])
    facts = {fact["name"]: fact for fact in store.meta("sites")}
    sites = []
    curves: dict[str, tuple[np.ndarray, np.ndarray]] = {}
    bins = position_bins(store, levels, spec.coefficients[0])
    for name in spec.sites:
        conditions = {}
        for condition in spec.conditions:
            if condition == ALL_SITES:
                continue
            for coefficient in spec.coefficients:
                draws = range(spec.draws_of(condition))
                columns = _mean_columns(
                    [_columns(table, [Key(lv, condition, name, coefficient, d) for lv in levels]) for d in draws]
                )
                label = condition if coefficient == spec.coefficients[0] else f"{condition} x{coefficient:g}"
                conditions[label] = _condition(columns, clean, oracle, samples, coefficient)
                if label == MAIN:
                    curves[name] = (columns["tv_no_cheese"], columns["p_region_first"])
        fact = facts[name]
        sites.append(
            {
                "name": name,
                "depth": fact["depth"],
                "shape": fact["shape"],
                "trunk": fact["trunk"],
                "affine": fact["affine"],
                "equivalence_class": fact["equivalence_class"],
                "receptive_field": fact["receptive_field"],
                "conditions": conditions,
                **position_curve(bins.get(name, {})),
            }
        )
    names = [site["name"] for site in sites if site["trunk"] and site["name"] in curves]
    found: dict[str, Any] = {f.name: None for f in dataclasses.fields(boundary.Boundary)}
    if names:
        args = (
            names,
            [facts[name]["equivalence_class"] for name in names],
            np.array([curves[name][0] for name in names]),
            clean["tv_no_cheese"],
            np.array([curves[name][1] for name in names]),
            oracle["p_region_first"],
            samples,
        )
        found = dataclasses.asdict(boundary.find_boundary(*args, blindness=blindness, competence=competence))
        found["by_threshold"] = {
            f"{b:g}": boundary.find_boundary(*args, blindness=b, competence=competence).site
            for b in (0.25, 0.5, 0.75, 0.9)
        }
    asked = set(spec.skipped)
    skipped = [(level, reason) for level, _, reason in store.levels() if level in asked]
    summary: dict[str, Any] = {
        "checkpoint": {"name": spec.checkpoint, "sha256": spec.sha256},
        "levels": {"used": levels, "skipped": [{"level": lv, "reason": reason} for lv, reason in skipped]},
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
            _condition(_columns(table, [Key(lv, ALL_SITES, "", c) for lv in levels]), clean, oracle, samples, c)
            for c in (spec.coefficients if ALL_SITES in spec.conditions else ())
        ],
        "boundary": found,
    }
    cleaned = _without_nan(summary)
    assert isinstance(cleaned, dict)
    return cleaned


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
    """The finding in words, from the numbers alone."""
    found = summary["boundary"]
    count = len(summary["levels"]["used"])
    name = summary["checkpoint"]["name"]
    if found["rule"] is None:
        return "No trunk site was swept under `subtract`, so these results say nothing about the boundary."
    first = next(s for s in summary["sites"] if s["trunk"] and MAIN in s["conditions"])
    if first["conditions"][MAIN]["blindness"] is None or first["conditions"][MAIN]["competence"] is None:
        return f"For {name} the question has no answer: the cheese changes nothing or the top right is never reached."
    if found["site"] is None:
        return f"For {name} on {count} mazes subtracting the cheese vector works nowhere, not even at {first['name']}."
    where = f"up to {found['site']} (95% interval {found['low'] or 'none'} to {found['high']}, {count} mazes)"
    if found["next_site"] is None:
        return f"For {name} subtracting the cheese vector acts like removing the cheese at every site swept: {where}."
    blind = {s["name"]: s["conditions"][MAIN]["blindness"] for s in summary["sites"] if MAIN in s["conditions"]}
    drop = f"blindness {blind[found['site']]:.2f} -> {blind[found['next_site']]:.2f}"
    return (
        f"For {name} subtracting the cheese vector still acts like removing the cheese {where}; "
        f"it stops working at {found['next_site']} ({drop})."
    )


def _columns(table: dict[Key, Outcome], keys: list[Key]) -> dict[str, np.ndarray]:
    return {f: np.array([getattr(table[key], f) for key in keys]) for f in OUTCOME_FIELDS}


def _mean_columns(columns: list[dict[str, np.ndarray]]) -> dict[str, np.ndarray]:
    return {f: np.mean([c[f] for c in columns], axis=0) for f in OUTCOME_FIELDS}


def _condition(
    columns: dict[str, np.ndarray],
    clean: dict[str, np.ndarray],
    oracle: dict[str, np.ndarray],
    samples: np.ndarray,
    coefficient: float,
) -> dict[str, float]:
    tv, base = columns["tv_no_cheese"], clean["tv_no_cheese"]
    low, high = stats.interval(stats.blindness(tv[samples], base[samples]))
    able_low, able_high = stats.interval(
        stats.competence(columns["p_region_first"][samples], oracle["p_region_first"][samples])
    )
    return {
        "coefficient": coefficient,
        "blindness": float(stats.blindness(tv, base)),
        "blindness_low": float(low),
        "blindness_high": float(high),
        "competence": float(stats.competence(columns["p_region_first"], oracle["p_region_first"])),
        "competence_low": float(able_low),
        "competence_high": float(able_high),
        **{f: float(np.nanmean(columns[f])) for f in OUTCOME_FIELDS},
    }


def _without_nan(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _without_nan(v) for key, v in value.items()}
    if isinstance(value, list):
        return [_without_nan(v) for v in value]
    return None if isinstance(value, float) and not np.isfinite(value) else value
