"""From probe scores to readings with intervals, and to where next moves appear and the cheese's cell is lost."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from steering import stats
from steering.boundary import depth_interval

FORMAT = "mazesteer-probes-3"
RESULTS = "probes.json"

# A statistic here is float[1 + draws]: of the mazes as they are, then of each bootstrap sample of them.
Statistic = np.ndarray
# By name (:data:`steering.probe_curves.Tallies`), a row for each site: ``float[s, 1 + draws]``.
ProbeCurves = Mapping[str, np.ndarray]


def load_probes(directory: Path) -> dict[str, Any] | None:
    """What a finished ``probe`` left in ``directory``; None where there is nothing of it, or nothing readable."""
    found = read_json(directory / RESULTS)
    return found if found.get("format") == FORMAT else None


def read_json(path: Path) -> dict[str, Any]:
    """The object in a JSON file; empty if there is no file, ``{"format": None}`` if it holds anything else."""
    try:
        found = json.loads(path.read_text())
    except FileNotFoundError:
        return {}
    except (OSError, ValueError):
        return {"format": None}
    return found if isinstance(found, dict) else {"format": None}


def summarize_probes(
    facts: Sequence[Mapping[str, Any]], scores: Mapping[str, Any], curves: ProbeCurves, samples: np.ndarray
) -> dict[str, Any]:
    """``majority`` and ``sites`` of ``probes.json``, intervals over mazes.

    ``facts``: of the sites, in depth order, the input first; ``scores``: per site as by
    :func:`steering.probes.site_scores` under ``sites``, with ``maze``, ``fold`` (``int[n]``) and ``moves`` of the
    frames; ``curves``: what :mod:`steering.probe_curves` makes of them; ``samples``: ``int[draws, n_mazes]`` from
    :func:`steering.stats.resamples`.
    """
    mazes = np.vstack([np.arange(samples.shape[1]), samples])
    maze, fold, moves = scores["maze"], scores["fold"], scores["moves"]
    frames = np.bincount(maze)
    truth = {name: labels[:, None] == np.unique(labels) for name, labels in moves.items()}
    totals = {name: np.stack([np.bincount(maze, column) for column in part.T], 1) for name, part in truth.items()}
    majority = {}
    for name, labels in moves.items():
        usual = np.array([np.bincount(labels[fold != own]).argmax() for own in fold])
        majority[name] = reading(pooled(np.bincount(maze, labels == usual), frames, mazes))
    rows: list[dict[str, Any]] = []
    for number, fact in enumerate(facts):
        site = scores["sites"][fact["name"]]
        row: dict[str, Any] = {**fact, "moves": {}}
        for name in moves:
            correct = np.array(site["moves"][name]["correct"])
            pixels, accuracy, chance = curves[name][0], curves[name][number], curves[f"{name} shuffled"][number]
            row["moves"][name] = {
                "accuracy": reading(accuracy),
                "balanced": reading(_balanced(correct, totals[name], mazes)),
                "control": reading(chance),
                "above_pixels": reading(accuracy - pixels),
                "above_control": reading(accuracy - chance),
            }
        r2, control = (1.0 - curves[name][number] for name in ("cell", "cell shuffled"))
        row["cell"] = {"r2": reading(r2), "control_r2": reading(control), **_cell(site["cell"], maze, mazes)}
        row["map"] = {k: _map(part, frames, mazes) for k, part in site["map"].items()} if site["map"] else None
        rows.append(row)
    return {"majority": majority, "sites": rows}


def reading(values: Statistic) -> dict[str, float | None]:
    """``value``, ``low`` and ``high`` (95% interval over mazes) of a statistic; None for what is not defined."""
    low, high = stats.interval(values[1:])
    found = {"value": float(values[0]), "low": float(low), "high": float(high)}
    return {name: number if np.isfinite(number) else None for name, number in found.items()}


def next_move_appears(
    facts: Sequence[Mapping[str, Any]], gaps: Sequence[tuple[Statistic, Statistic]]
) -> dict[str, Any]:
    """Where the next move can first be read off (``site``), and half as well as anywhere (``half``), with intervals.

    ``gaps``: for each site accuracy less that at the pixels, and less that with shuffled labels; the lesser counts.
    ``site``: the first site not affine in the pixels where both exceed their margin (:func:`_margins`, over all these
    sites at once: with seventeen sites, one in two would otherwise beat the pixels somewhere by chance). The bootstrap
    applies the same margins to every draw. A larger study has smaller margins and may find an earlier site; ``half``,
    the first site with at least half of the largest gap, has a target that does not hang on the study's size. It is
    None where ``site`` is. None as the end of an interval: nowhere, which comes after the last site.
    """
    open_ = [i for i, fact in enumerate(facts) if fact["affine"] is False]
    found: dict[str, Any] = dict.fromkeys(f"{name}{end}" for name in ("", "half_") for end in ("site", "low", "high"))
    if open_:
        names = [facts[i]["name"] for i in open_]
        kinds = [np.array([gaps[i][k] for i in open_]) for k in (0, 1)]
        gap = np.minimum(*kinds)
        found |= _located("", _first(np.minimum(*(part - _margins(part) for part in kinds)) > 0), names)
        if found["site"] is not None:
            found |= _located("half_", _first((gap > 0) & (gap >= gap.max(axis=0) / 2)), names)
    rule = (
        "first site not affine in the pixels whose probe beats the same probe on the pixels and on shuffled labels "
        "(margins: one-sided 95% bands over mazes, all sites at once); half: the first with half of the largest gain"
    )
    return {**found, "rule": rule}


def cell_lost(facts: Sequence[Mapping[str, Any]], r2: Sequence[tuple[Statistic, Statistic]]) -> dict[str, Any]:
    """Where the linear probe of the cheese's cell is best, and behind which site it is lost, with intervals.

    ``r2``: for each site variance explained, and what it exceeds that with shuffled labels by. A site holds the cell
    if both exceed their margin (:func:`_margins`), in the bootstrap the same in every draw. ``best`` is None if no site
    holds the cell, ``lost`` if the last site still does (also at an end of its interval). Of draws without any site
    that holds it, ``best`` is not defined.
    """
    names = [fact["name"] for fact in facts]
    held = np.minimum(*(part - _margins(part) for part in (np.array([pair[k] for pair in r2]) for k in (0, 1)))) > 0
    found: dict[str, Any] = {}
    best = np.where(held, np.array([pair[0] for pair in r2]), -np.inf).argmax(axis=0)
    lost = np.where(held.any(axis=0), len(held) - held[::-1].argmax(axis=0), 0)
    for name, depths in (("first", _first(held)), ("best", best[held.any(axis=0)]), ("lost", lost)):
        placed = _located("", depths, names) if held[:, 0].any() else dict.fromkeys(("site", "low", "high"))
        found |= {name: placed["site"], f"{name}_low": placed["low"], f"{name}_high": placed["high"]}
    rule = (
        "held: variance explained is above 0 and above that with shuffled labels (margins: one-sided 95% bands over "
        "mazes, all sites at once); best: the most of it; lost: the site behind the last that holds it"
    )
    return {**found, "rule": rule}


def _margins(values: np.ndarray) -> np.ndarray:
    """What each of statistics ``float[s, 1 + draws]`` must exceed to be above 0: ``float[s, 1]``.

    The half widths of a one-sided 95% band for all at once: the same multiple of each one's bootstrap standard
    deviation, the 95% quantile of the largest standardised deviation.
    """
    point, draws = values[:, :1], values[:, 1:]
    spread = draws.std(axis=1, keepdims=True)
    deviations = np.divide(draws - point, spread, out=np.zeros_like(draws), where=spread > 0)
    return np.asarray(np.quantile(deviations.max(axis=0), stats.LEVEL) * spread)


def _first(passes: np.ndarray) -> np.ndarray:
    """Of ``bool[s, n]``, for each column the first row that passes; ``s`` if none does."""
    return np.where(passes.any(axis=0), passes.argmax(axis=0), len(passes))


def _located(prefix: str, depths: np.ndarray, names: Sequence[str]) -> dict[str, str | None]:
    """``site``, ``low``, ``high`` for ``int[1 + draws]`` depths: of the mazes as they are, 95% bootstrap interval."""
    ends = {"site": int(depths[0]), **dict(zip(("low", "high"), depth_interval(depths[1:]), strict=True))}
    return {prefix + name: names[depth] if depth < len(names) else None for name, depth in ends.items()}


def pooled(top: np.ndarray, bottom: np.ndarray, mazes: np.ndarray) -> Statistic:
    """Sum of ``top`` over sum of ``bottom`` (``float[n_mazes]`` each) for each row of ``mazes``; NaN for nothing over
    nothing."""
    return stats.quotient(top[mazes].sum(axis=1), bottom[mazes].sum(axis=1))


def _balanced(correct: np.ndarray, totals: np.ndarray, mazes: np.ndarray) -> Statistic:
    """Mean over classes of the share rightly told; a class no sample has does not count."""
    shares = [pooled(*pair, mazes) for pair in zip(correct.T, totals.T, strict=True)]
    return np.nanmean(shares, axis=0)


def _cell(scores: Mapping[str, Any], maze: np.ndarray, mazes: np.ndarray) -> dict[str, Any]:
    columns = {name: np.array(values) for name, values in scores.items()}
    return {f"{label}_error": reading(_median(columns[name], maze, mazes))
            for label, name in (("median", "distance"), ("control", "control"), ("mean_cell", "mean"))}  # fmt: skip


def _map(scores: Mapping[str, Any], frames: np.ndarray, mazes: np.ndarray) -> dict[str, Any]:
    return {name: reading(pooled(np.array(values), frames, mazes)) for name, values in scores.items()}


def _median(values: np.ndarray, maze: np.ndarray, mazes: np.ndarray) -> Statistic:
    """Lower median over frames, each as often as its maze is drawn."""
    order = np.argsort(values, kind="stable")
    found = []
    for row in mazes:
        seen = np.cumsum(np.bincount(row, minlength=mazes.shape[1])[maze[order]])
        found.append(values[order[np.searchsorted(seen, seen[-1] / 2)]])
    return np.array(found)
