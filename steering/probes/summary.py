"""From probe scores to readings with intervals, and to where next moves appear and the cheese's cell is lost."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from envs.actions import N_MOVES
from steering.experiments.outcome import DISTANCES
from steering.statistics import bootstrap
from steering.statistics.boundary import Boundary, Curves, depth_interval, find_boundary
from steering.sweep.artifacts import PROBES, read_json

DEPENDENT = 0.5  # interaction: half of the cheese's effect is not what it was at the start
# Per state: 1, 1 where both vectors have a length, cosine; norms of the vector here, at the start, of the difference.
SUMS = ("states", "angles", "cosine", "here", "start", "difference")


def representation(sums: np.ndarray, names: Sequence[str], samples: np.ndarray) -> list[dict[str, Any]]:
    """``representation`` of ``probes.json``, from :func:`position_sums` at the sites ``names``.

    For each site ``cosine``, ``norm_ratio`` and ``interaction`` by distance and side of the receptive field.
    ``by_distance``: a list of bins of path length from the start; ``inside``, ``outside``: over all distances, None
    where there are no such states. Pooled over mazes, intervals by ``samples`` (``int[draws, n_mazes]``).
    """
    drawn = np.vstack([np.arange(len(sums)), samples])
    rows = []
    for number, name in enumerate(names):
        table = sums[:, number]
        bins = [{"distance": first, "outside": bool(side), **_pooled(table[:, k, side], drawn)}
                for k, first in enumerate(DISTANCES) for side in (0, 1) if table[:, k, side, 0].any()]  # fmt: skip
        sides = {where: _pooled(table[:, :, side].sum(1), drawn) if table[:, :, side, 0].any() else None
                 for where, side in (("inside", 0), ("outside", 1))}  # fmt: skip
        rows.append({"name": name, **sides, "by_distance": bins})
    return rows


def interaction_tally(sums: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """``float[n_sites, n_mazes]`` each, inside the receptive field: summed norms of the difference between the cheese
    vector at a state and that at the start, and of the vector at the state."""
    inside = sums[:, :, :, 0].sum(axis=2)
    return inside[..., SUMS.index("difference")].T, inside[..., SUMS.index("here")].T


def position_dependence(facts: Sequence[Mapping[str, Any]], interaction: np.ndarray) -> dict[str, Any]:
    """The representational reading of the boundary: up to which trunk site the cheese vector holds elsewhere.

    ``facts``: of the sites (:func:`steering.interventions.sites.site_facts`); ``interaction``: ``float[n_sites, 1 +
    draws]`` inside the receptive field, of the mazes as they are and of each bootstrap sample; NaN (no such states)
    counts as 0, as outside the field. The two rules of :mod:`steering.statistics.boundary`, with 1 - interaction for
    blindness: threshold and change-point, each redone in every draw.
    """
    trunk = [i for i, fact in enumerate(facts) if fact["trunk"]]
    if not trunk:
        return {field.name: None for field in dataclasses.fields(Boundary) if field.name != "blindness_alone"}
    kept = 1.0 - np.nan_to_num(interaction[trunk]).T
    names, classes = (tuple(facts[i][key] for i in trunk) for key in ("name", "equivalence_class"))
    able = np.ones_like(kept)
    found = find_boundary(Curves(names, classes, kept[0], able[0], kept[1:], able[1:]), blindness=1.0 - DEPENDENT)
    rule = (
        f"deepest trunk site up to which the interaction inside the receptive field is at most {DEPENDENT:g} at every "
        f"trunk site asked ({len(trunk)}, from {names[0]} on); interval: 95% bootstrap over mazes"
    )
    known = dataclasses.asdict(found)
    del known["blindness_alone"]  # nothing competes with the interaction here
    return {**known, "rule": rule}


def _pooled(sums: np.ndarray, drawn: np.ndarray) -> dict[str, Any]:
    """Readings of sums ``float64[n_mazes, len(SUMS)]``."""
    return {
        "states": int(sums[drawn[0], 0].sum()),
        "mazes": int(np.count_nonzero(sums[drawn[0], 0])),
        **{name: with_interval(values) for name, values in _ratios(sums, drawn).items()},
    }


def _ratios(sums: np.ndarray, drawn: np.ndarray) -> dict[str, Statistic]:
    """The mean cosine, and ratios of summed norms, for each row of ``drawn`` mazes."""
    _, angles, cosine, here, start, difference = sums[drawn].sum(axis=1).T
    pairs = {"cosine": (cosine, angles), "norm_ratio": (here, start), "interaction": (difference, here)}
    return {name: bootstrap.quotient(*pair) for name, pair in pairs.items()}


APART = "cheese apart"  # next move to the cheese, in the frames where it is not the one to the corner
# A statistic here is float[1 + draws]: of the mazes as they are, then of each bootstrap sample of them.
Statistic = np.ndarray
# By name (:data:`steering.probes.curves.Tallies`), a row for each site, or one for all: ``float[s, 1 + draws]``.
ProbeCurves = Mapping[str, np.ndarray]


def load_probes(directory: Path) -> dict[str, Any] | None:
    """What a finished ``probe`` left in ``directory``; None where there is nothing of it, or nothing readable."""
    found = read_json(directory / PROBES.file)
    return found if found.get("format") == PROBES.format else None


def probe_questions(moves: Mapping[str, np.ndarray]) -> dict[str, tuple[str, np.ndarray]]:
    """By name of what is asked about next moves: whose, and in which frames, ``bool[n]``; ``moves``: the labels.

    In most frames the way to the cheese begins as the way to the corner does. :data:`APART` leaves these out.
    """
    found = {name: (name, np.ones(len(labels), dtype=bool)) for name, labels in moves.items()}
    return {"cheese": found["cheese"], APART: ("cheese", moves["cheese"] != moves["corner"]), **found}


def usual_move(labels: np.ndarray, fold: np.ndarray, frames: np.ndarray) -> np.ndarray:
    """The most frequent label among those of ``frames`` (``bool[n]``) that lie in other folds, ``int[n]``."""
    found = np.empty_like(labels)
    for own in np.unique(fold):
        found[fold == own] = np.bincount(labels[frames & (fold != own)], minlength=N_MOVES).argmax()
    return found


def summarize_probes(
    facts: Sequence[Mapping[str, Any]], scores: Mapping[str, Any], curves: ProbeCurves, samples: np.ndarray
) -> dict[str, Any]:
    """``asked``, ``majority``, ``surroundings`` and ``sites`` of ``probes.json``, intervals over mazes.

    ``facts``: of the sites, in depth order, the input first; ``scores``: per site as by
    :func:`steering.probes.scores.site_scores` under ``sites``, with ``maze``, ``fold`` (``int[n]``), ``moves`` and
    ``surroundings`` (:func:`steering.probes.surroundings.surroundings_moves`) of the frames; ``curves``: what
    :mod:`steering.probes.curves` makes of them; ``samples``: ``int[draws, n_mazes]``
    from :func:`steering.statistics.bootstrap.resamples`.
    """
    mazes = np.vstack([np.arange(samples.shape[1]), samples])
    maze, fold, moves = scores["maze"], scores["fold"], scores["moves"]
    everything, questions = np.bincount(maze), probe_questions(moves)

    def per_maze(values: np.ndarray, frames: np.ndarray) -> np.ndarray:
        return np.bincount(maze[frames], values[frames], minlength=len(everything))

    majority = {}
    for name, (whose, frames) in questions.items():
        right = usual_move(moves[whose], fold, frames) == moves[whose]
        majority[name] = with_interval(pooled_ratio(per_maze(right, frames), per_maze(frames, frames), mazes))
    rows: list[dict[str, Any]] = []
    for number, fact in enumerate(facts):
        site = scores["sites"][fact["name"]]
        row: dict[str, Any] = {**fact, "moves": {}}
        for name, (whose, frames) in questions.items():
            labels, told = moves[whose], np.array(site["moves"][whose]["told"])
            each = [frames & (labels == label) for label in np.unique(labels)]
            shares = [pooled_ratio(per_maze(told == labels, own), per_maze(own, own), mazes) for own in each]
            pixels, accuracy, chance = curves[name][0], curves[name][number], curves[f"{name} shuffled"][number]
            row["moves"][name] = {
                "accuracy": with_interval(accuracy),
                "balanced": with_interval(_mean(np.array(shares))),
                "control": with_interval(chance),
                "above_pixels": with_interval(accuracy - pixels),
                "above_control": with_interval(accuracy - chance),
                "above_surroundings": with_interval(accuracy - curves[f"{name} surroundings"][0]),
            }
        r2, control = (1.0 - curves[name][number] for name in ("cell", "cell shuffled"))
        row["cell"] = {
            "r2": with_interval(r2),
            "control_r2": with_interval(control),
            **_cell(site["cell"], maze, mazes),
        }
        row["map"] = {k: _map(part, everything, mazes) for k, part in site["map"].items()} if site["map"] else None
        rows.append(row)
    return {
        "asked": {name: int(frames.sum()) for name, (_, frames) in questions.items()},
        "majority": majority,
        "surroundings": {name: with_interval(curves[f"{name} surroundings"][0]) for name in questions},
        "sites": rows,
    }


def with_interval(values: Statistic) -> dict[str, float | None]:
    """``value``, ``low`` and ``high`` (95% interval over mazes) of a statistic; None for what is not defined."""
    low, high = bootstrap.interval(values[1:])
    found = {"value": float(values[0]), "low": float(low), "high": float(high)}
    return {name: number if np.isfinite(number) else None for name, number in found.items()}


def next_move_appears(facts: Sequence[Mapping[str, Any]], gaps: np.ndarray) -> dict[str, Any]:
    """Where the next move can first be read off (``site``), and half as well as anywhere (``half``), with intervals.

    ``gaps``: ``float[s, k, 1 + draws]``, for each site what its accuracy exceeds each of k baselines by; the least
    counts. ``site``: the first site not affine in the pixels where all exceed their margin (:func:`_margins`, over all
    these sites at once: with seventeen sites, one in two would otherwise beat the pixels somewhere by chance). The
    bootstrap applies the same margins to every draw; draws without any frame that is asked about say nothing. A larger
    study has smaller margins and may find an earlier site; ``half``, the first site with at least half of the largest
    gap, has a target that does not hang on the study's size. It is None where ``site`` is. None as the end of an
    interval: nowhere, which comes after the last site. ``rule`` is None where there is nothing to ask: no site that is
    known not to be affine in the pixels, or no frame.
    """
    open_ = [i for i, fact in enumerate(facts) if fact["affine"] is False]
    ends = [f"{name}{end}" for name in ("", "half_") for end in ("site", "low", "high")]
    found: dict[str, Any] = dict.fromkeys([*ends, "rule"])
    kinds = np.asarray(gaps)[open_].swapaxes(0, 1)
    known = np.isfinite(kinds).all(axis=(0, 1))
    if not open_ or not known[0]:
        return found
    names, kinds = [facts[i]["name"] for i in open_], kinds[:, :, known]
    gap = kinds.min(axis=0)
    found |= _located("", _first(np.min([part - _margins(part) for part in kinds], axis=0) > 0), names)
    if found["site"] is not None:
        found |= _located("half_", _first((gap > 0) & (gap >= gap.max(axis=0) / 2)), names)
    rule = (
        "first site not affine in the pixels whose probe beats the same probe on the pixels, the same on shuffled "
        "labels, and what walls within three cells of the mouse and the direction of the goal tell (margins: "
        "one-sided 95% bands over mazes, all sites at once); half: the first with half of the largest gain over the "
        "best of the three"
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
    return np.asarray(np.quantile(deviations.max(axis=0), bootstrap.LEVEL) * spread)


def _first(passes: np.ndarray) -> np.ndarray:
    """Of ``bool[s, n]``, for each column the first row that passes; ``s`` if none does."""
    return np.where(passes.any(axis=0), passes.argmax(axis=0), len(passes))


def _located(prefix: str, depths: np.ndarray, names: Sequence[str]) -> dict[str, str | None]:
    """``site``, ``low``, ``high`` for ``int[1 + draws]`` depths: of the mazes as they are, 95% bootstrap interval."""
    ends = {"site": int(depths[0]), **dict(zip(("low", "high"), depth_interval(depths[1:]), strict=True))}
    return {prefix + name: names[depth] if depth < len(names) else None for name, depth in ends.items()}


def pooled_ratio(top: np.ndarray, bottom: np.ndarray, mazes: np.ndarray) -> Statistic:
    """Sum of ``top`` over sum of ``bottom`` (``float[n_mazes]`` each) for each row of ``mazes``; NaN for nothing over
    nothing."""
    return bootstrap.quotient(top[mazes].sum(axis=1), bottom[mazes].sum(axis=1))


def _mean(shares: np.ndarray) -> Statistic:
    """Mean over the first axis; what a sample has nothing of does not count."""
    known = np.isfinite(shares)
    return bootstrap.quotient(np.where(known, shares, 0.0).sum(axis=0), known.sum(axis=0))


def _cell(scores: Mapping[str, Any], maze: np.ndarray, mazes: np.ndarray) -> dict[str, Any]:
    columns = {name: np.array(values) for name, values in scores.items()}
    return {f"{label}_error": with_interval(_median(columns[name], maze, mazes))
            for label, name in (("median", "distance"), ("control", "control"), ("mean_cell", "mean"))}  # fmt: skip


def _map(scores: Mapping[str, Any], frames: np.ndarray, mazes: np.ndarray) -> dict[str, Any]:
    return {name: with_interval(pooled_ratio(np.array(values), frames, mazes)) for name, values in scores.items()}


def _median(values: np.ndarray, maze: np.ndarray, mazes: np.ndarray) -> Statistic:
    """Lower median over frames, each as often as its maze is drawn."""
    order = np.argsort(values, kind="stable")
    found = []
    for row in mazes:
        seen = np.cumsum(np.bincount(row, minlength=mazes.shape[1])[maze[order]])
        found.append(values[order[np.searchsorted(seen, seen[-1] / 2)]])
    return np.array(found)
