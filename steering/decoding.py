"""From probe scores to readings with intervals, and to where next moves appear and the cheese's cell is lost."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from steering import stats

FORMAT = "mazesteer-probes-1"
RESULTS = "probes.json"

# A statistic here is float[1 + draws]: of the mazes as they are, then of each bootstrap sample of them.
Statistic = np.ndarray


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
    facts: Sequence[Mapping[str, Any]], scores: Mapping[str, Any], samples: np.ndarray
) -> dict[str, Any]:
    """``majority``, ``sites`` and ``decoding_boundary`` of ``probes.json``, intervals over mazes.

    ``facts``: of the sites, in depth order, the input first; ``scores``: per site as by
    :func:`steering.probes.site_scores` under ``sites``, with ``maze``, ``fold`` (``int[n]``) and ``moves`` of the
    frames; ``samples``: ``int[draws, n_mazes]`` from :func:`steering.stats.resamples`.
    """
    mazes = np.vstack([np.arange(samples.shape[1]), samples])
    maze, fold, moves = scores["maze"], scores["fold"], scores["moves"]
    frames = np.bincount(maze)
    truth = {name: labels[:, None] == np.unique(labels) for name, labels in moves.items()}
    totals = {name: np.stack([np.bincount(maze, column) for column in part.T], 1) for name, part in truth.items()}
    majority = {}
    for name, labels in moves.items():
        usual = np.array([np.bincount(labels[fold != own]).argmax() for own in fold])
        majority[name] = reading(_ratio(np.bincount(maze, labels == usual), frames, mazes))
    rows: list[dict[str, Any]] = []
    above: dict[str, list[tuple[Statistic, Statistic]]] = {name: [] for name in moves}
    r2: list[tuple[Statistic, Statistic]] = []
    accuracy_of_pixels: dict[str, Statistic] = {}
    for fact in facts:
        site = scores["sites"][fact["name"]]
        row: dict[str, Any] = {**fact, "moves": {}}
        for name in moves:
            correct, control = (np.array(site["moves"][name][key]) for key in ("correct", "control"))
            accuracy, chance = (_ratio(part.sum(1), frames, mazes) for part in (correct, control))
            pixels = accuracy_of_pixels.setdefault(name, accuracy)  # the first site is the input
            above[name].append((accuracy - pixels, accuracy - chance))
            row["moves"][name] = {
                "accuracy": reading(accuracy),
                "balanced": reading(_balanced(correct, totals[name], mazes)),
                "control": reading(chance),
                "above_pixels": reading(accuracy - pixels),
                "above_control": reading(accuracy - chance),
            }
        row["cell"], explained = _cell(site["cell"], maze, mazes)
        r2.append(explained)
        row["map"] = {k: _map(part, frames, mazes) for k, part in site["map"].items()} if site["map"] else None
        rows.append(row)
    boundary = {"next_move": {name: next_move_appears(facts, gaps) for name, gaps in above.items()},
                "cell": cell_lost(facts, r2)}  # fmt: skip
    return {"majority": majority, "sites": rows, "decoding_boundary": boundary}


def reading(values: Statistic) -> dict[str, float | None]:
    """``value``, ``low`` and ``high`` (95% interval over mazes) of a statistic; None for what is not defined."""
    low, high = stats.interval(values[1:])
    found = {"value": float(values[0]), "low": float(low), "high": float(high)}
    return {name: number if np.isfinite(number) else None for name, number in found.items()}


def next_move_appears(
    facts: Sequence[Mapping[str, Any]], gaps: Sequence[tuple[Statistic, Statistic]]
) -> dict[str, Any]:
    """First site that is not affine in the pixels and beats both the pixels and the shuffled labels.

    ``gaps``: for each site accuracy less that at the pixels, and less that with shuffled labels. A gap counts if the
    lower end of a one-sided 95% band over all these sites at once (largest standardised deviation among them) is
    above 0: with seventeen sites, one in two would otherwise beat the pixels somewhere by chance.
    """
    open_ = [i for i, fact in enumerate(facts) if fact["affine"] is False]
    found = None
    if open_:
        lows = np.minimum(*(_band(np.array([gaps[i][kind] for i in open_])) for kind in (0, 1)))
        found = next((facts[i]["name"] for i, low in zip(open_, lows, strict=True) if low > 0), None)
    rule = ("first site not affine in the pixels whose probe beats the same probe on the pixels and on shuffled labels "
            "(one-sided 95% bands over mazes, all sites at once)")  # fmt: skip
    return {"site": found, "rule": rule}


def cell_lost(facts: Sequence[Mapping[str, Any]], r2: Sequence[tuple[Statistic, Statistic]]) -> dict[str, Any]:
    """Where the linear probe of the cheese's cell is best, and behind which site it is lost.

    ``r2``: for each site variance explained, and what it exceeds that with shuffled labels by. ``best`` is None if no
    site holds the cell, ``lost`` if the last site still does.
    """
    lows = np.minimum(*(_band(np.array([pair[kind] for pair in r2])) for kind in (0, 1)))
    held = np.flatnonzero(lows > 0).tolist()
    best = max(held, key=lambda i: r2[i][0][0], default=None)
    lost = held[-1] + 1 if len(held) and held[-1] + 1 < len(facts) else None
    rule = ("held: variance explained is above 0 and above that with shuffled labels (one-sided 95% bands over mazes, "
            "all sites at once); best: the most of it; lost: the site behind the last that holds it")  # fmt: skip
    names = [fact["name"] for fact in facts]
    return {"first": names[held[0]] if len(held) else None, "best": None if best is None else names[best],
            "lost": None if lost is None else names[lost], "rule": rule}  # fmt: skip


def _band(values: np.ndarray) -> np.ndarray:
    """Lower ends ``float[s]`` of a one-sided 95% band for statistics ``float[s, 1 + draws]``, all at once."""
    point, draws = values[:, :1], values[:, 1:]
    spread = draws.std(axis=1, keepdims=True)
    deviations = np.divide(draws - point, spread, out=np.zeros_like(draws), where=spread > 0)
    return (point - np.quantile(deviations.max(axis=0), stats.LEVEL) * spread)[:, 0]


def _ratio(top: np.ndarray, bottom: np.ndarray, mazes: np.ndarray) -> Statistic:
    """Sum of ``top`` over sum of ``bottom`` (``float[n_mazes]`` each) for each row of ``mazes``."""
    above, below = top[mazes].sum(axis=1), bottom[mazes].sum(axis=1)
    return np.divide(above, below, out=np.full(len(mazes), np.nan), where=below > 0)


def _balanced(correct: np.ndarray, totals: np.ndarray, mazes: np.ndarray) -> Statistic:
    """Mean over classes of the share rightly told; a class no sample has does not count."""
    shares = [_ratio(*pair, mazes) for pair in zip(correct.T, totals.T, strict=True)]
    return np.nanmean(shares, axis=0)


def _cell(
    scores: Mapping[str, Any], maze: np.ndarray, mazes: np.ndarray
) -> tuple[dict[str, Any], tuple[Statistic, Statistic]]:
    columns = {name: np.array(values) for name, values in scores.items()}
    squares = {name: np.bincount(maze, values**2) for name, values in columns.items()}
    r2, control = (1.0 - _ratio(squares[name], squares["mean"], mazes) for name in ("distance", "control"))
    row = {"r2": reading(r2), "control_r2": reading(control)}
    row |= {f"{label}_error": reading(_median(columns[name], maze, mazes))
            for label, name in (("median", "distance"), ("control", "control"), ("mean_cell", "mean"))}  # fmt: skip
    return row, (r2, r2 - control)


def _map(scores: Mapping[str, Any], frames: np.ndarray, mazes: np.ndarray) -> dict[str, Any]:
    return {name: reading(_ratio(np.array(values), frames, mazes)) for name, values in scores.items()}


def _median(values: np.ndarray, maze: np.ndarray, mazes: np.ndarray) -> Statistic:
    """Lower median over frames, each as often as its maze is drawn."""
    order = np.argsort(values, kind="stable")
    found = []
    for row in mazes:
        seen = np.cumsum(np.bincount(row, minlength=mazes.shape[1])[maze[order]])
        found.append(values[order[np.searchsorted(seen, seen[-1] / 2)]])
    return np.array(found)
