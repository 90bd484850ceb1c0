"""From per-site curves to the decoding/planning boundary with its uncertainty.

Two readings of the same curves, both bootstrapped over mazes (and over agents, :func:`over_agents`). Threshold: the
deepest trunk site up to which, without a gap from the first site swept on, subtraction still blinds (blindness) and
does not break the agent (competence). Change-point: the split of the blindness curve into two levels with the least
squared error, over distinct experiments only; named only where the curve surely falls (a slope has one as a step has).
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from envs.errors import RANGES, InputError
from envs.stored.ranges import Name, Threshold
from steering.statistics import bootstrap

BLINDNESS = 0.5
COMPETENCE = 0.8
DROP = 0.2  # of mean blindness between the two pieces of a curve: with less there is no change-point to name
THRESHOLDS = tuple(round(0.05 * k, 2) for k in range(1, 20))


@dataclass(frozen=True)
class Curves:
    """Blindness and competence over trunk sites, with their bootstrap resamples."""

    sites: tuple[str, ...]
    """Names of the sites in depth order."""
    classes: tuple[str, ...]
    """Equivalence class of each site; those of one class are one point of the change-point's curve."""
    blind: np.ndarray
    """Blindness, ``float[n_sites]``, at most 1; NaN: the cheese changes nothing."""
    able: np.ndarray
    """Competence, ``float[n_sites]``, 0 or more; NaN: never reached without cheese."""
    boot_blind: np.ndarray
    """Blindness of each resample, ``float[draws, n_sites]``."""
    boot_able: np.ndarray
    """Competence of each resample, ``float[draws, n_sites]``."""

    @property
    def groups(self) -> list[list[int]]:
        """Return the indices of the sites of each class: the distinct experiments, in depth order."""
        return [[i for i, c in enumerate(self.classes) if c == name] for name in dict.fromkeys(self.classes)]

    @classmethod
    def of(
        cls,
        sites: Sequence[str],
        classes: Sequence[str],
        tv_edited: np.ndarray,
        tv_clean: np.ndarray,
        region_edited: np.ndarray,
        region_no_cheese: np.ndarray,
        weights: np.ndarray,
    ) -> Curves:
        """Return the curves of distances and probabilities, maze by maze.

        Args:
            sites: names of the ``n_sites`` sites, in depth order.
            classes: equivalence class of each.
            tv_edited: distance to the policy without cheese under the edit, ``float[n_sites, n_mazes]``.
            tv_clean: the same of the policy left alone, ``float[n_mazes]``.
            region_edited: P(top-right 5x5 first) under the edit, ``float[n_sites, n_mazes]``.
            region_no_cheese: the same in the level without cheese, ``float[n_mazes]``.
            weights: ``float[draws, n_mazes]`` from :func:`steering.statistics.bootstrap.counts`.
        """
        return cls(
            tuple(sites),
            tuple(classes),
            bootstrap.blindness(tv_edited, tv_clean),
            bootstrap.competence(region_edited, region_no_cheese),
            bootstrap.blindness(tv_edited, tv_clean, weights).T,
            bootstrap.competence(region_edited, region_no_cheese, weights).T,
        )


@dataclass(frozen=True)
class Reach:
    """The depth up to which a rule holds."""

    site: Name | None
    """Last site where it holds; null: nowhere."""
    low: Name | None
    """Low end of the 95% bootstrap interval of ``site``; null: nowhere."""
    high: Name | None
    """High end of the 95% bootstrap interval of ``site``; null: nowhere."""


@dataclass(frozen=True)
class ThresholdPair:
    """The thresholds that a boundary rests on."""

    blindness: Threshold = BLINDNESS
    """Least blindness of every site up to the boundary, from -10 to 10."""
    competence: Threshold = COMPETENCE
    """Least competence of every site up to the boundary, from -10 to 10."""


@dataclass(frozen=True)
class Boundary:
    """The last trunk site where subtraction works, in both readings; intervals are 95% bootstrap."""

    site: str | None
    """Last trunk site where subtraction works; null: nowhere."""
    next_site: str | None
    """First trunk site where it does not; null: it works at every site swept."""
    low: str | None
    """Low end of the interval of ``site``; null: nowhere."""
    high: str | None
    """High end of the interval of ``site``; null: nowhere."""
    change_site: str | None
    """Last site before the change-point (:func:`change`); null: the curve does not surely fall."""
    change_low: str | None
    """Low end of its interval; null as ``change_site``."""
    change_high: str | None
    """High end of its interval; null as ``change_site``."""
    blindness_alone: Reach
    """The same rule with competence not asked for."""
    rule: str
    """The rule in words, with its thresholds."""


def check_thresholds(blindness: float, competence: float) -> None:
    """Raise :class:`InputError` for thresholds that no rule can mean."""
    for threshold in (blindness, competence):
        RANGES["threshold"].check(threshold)


def agreed_thresholds(
    runs: Sequence[ThresholdPair], *, blindness: float | None = None, competence: float | None = None
) -> ThresholdPair:
    """Return the thresholds asked for; where one is None, that of all ``runs``.

    Raises:
        InputError: if these differ, or by :func:`check_thresholds`.
    """
    found = ThresholdPair(
        _agreed("blindness", blindness, [run.blindness for run in runs]),
        _agreed("competence", competence, [run.competence for run in runs]),
    )
    check_thresholds(found.blindness, found.competence)
    return found


def _agreed(name: str, asked: float | None, of_runs: Sequence[float]) -> float:
    if asked is not None:
        return asked
    low, high = min(of_runs), max(of_runs)
    if low != high:
        raise InputError(f"the runs' {name} thresholds differ ({low:g}, {high:g}); say --{name}-threshold")
    return low


def depth_reached(blind: np.ndarray, competent: np.ndarray, blindness: float, competence: float) -> np.ndarray:
    """Return the number of leading sites (last axis) that pass both thresholds, ``int[...]``."""
    passes = (blind >= blindness) & (competent >= competence)
    return np.asarray(np.cumprod(passes, axis=-1).sum(axis=-1))


def change_point(curves: np.ndarray) -> np.ndarray:
    """Return the length, ``int[...]``, of the first of two constant pieces that fit ``float[..., s]`` best in squares.

    At least one site on each side; needs ``s >= 2``.
    """
    import ruptures  # slow to import: only when a curve is there

    search = ruptures.KernelCPD(kernel="linear", min_size=1)
    flat = np.ascontiguousarray(curves, dtype=np.float64).reshape(-1, curves.shape[-1])
    splits = [search.fit(curve[:, None]).predict(n_bkps=1)[0] for curve in flat]
    return np.array(splits).reshape(curves.shape[:-1])


def reach(curves: Curves, blindness: float = BLINDNESS, competence: float | None = COMPETENCE) -> Reach:
    """Return the depth up to which both thresholds hold; competence None: blindness alone."""
    able, boot_able = (np.full_like(c, np.inf) if competence is None else c for c in (curves.able, curves.boot_able))
    least = 0.0 if competence is None else competence
    reached = int(depth_reached(curves.blind, able, blindness, least))
    low, high = depth_interval(depth_reached(curves.boot_blind, boot_able, blindness, least))
    return Reach(*(_name(curves.sites, k) for k in (reached, low, high)))


def change(curves: Curves) -> Reach:
    """Return the change-point of the blindness curve: last site of the class before the drop, and its interval.

    Nowhere unless mean blindness falls there by :data:`DROP` or more in 97.5% of the resamples, each at its own split.
    """
    distinct = [group[0] for group in curves.groups]
    if len(distinct) < 2 or not np.isfinite(curves.boot_blind).all():
        return Reach(None, None, None)
    boot = curves.boot_blind[:, distinct]
    splits = change_point(boot)
    first = np.arange(len(distinct)) < splits[:, None]
    drops = boot.mean(axis=1, where=first) - boot.mean(axis=1, where=~first)
    if np.quantile(drops, bootstrap.TAIL) < DROP:
        return Reach(None, None, None)
    ends = (int(change_point(curves.blind[distinct])), *depth_interval(splits))
    return Reach(*(curves.sites[curves.groups[k - 1][-1]] for k in ends))


def find_boundary(curves: Curves, *, blindness: float = BLINDNESS, competence: float = COMPETENCE) -> Boundary:
    """Return both readings of the curves, threshold and change-point.

    Args:
        curves: of trunk sites in depth order, at least one.
        blindness: least blindness of every site up to the boundary.
        competence: least competence of every site up to the boundary.

    Returns:
        Names of sites, with 95% bootstrap intervals over the curves' resamples.
    """
    sites = curves.sites
    threshold = reach(curves, blindness, competence)
    reached = 0 if threshold.site is None else sites.index(threshold.site) + 1
    split = change(curves)
    return Boundary(
        site=threshold.site,
        next_site=sites[reached] if reached < len(sites) else None,
        low=threshold.low,
        high=threshold.high,
        change_site=split.site,
        change_low=split.low,
        change_high=split.high,
        blindness_alone=reach(curves, blindness, None),
        rule=(
            f"deepest trunk site up to which blindness >= {blindness:g} and competence >= {competence:g} at every "
            f"trunk site swept ({len(sites)}, from {sites[0]} on); "
            f"interval: 95% bootstrap over mazes ({len(curves.boot_blind)} draws)"
        ),
    )


def threshold_curve(curves: Curves, competence: float = COMPETENCE) -> list[tuple[float, Reach]]:
    """Return (blindness threshold, how deep it holds) for all of :data:`THRESHOLDS`."""
    return [(threshold, reach(curves, threshold, competence)) for threshold in THRESHOLDS]


def competence_curve(curves: Curves, blindness: float = BLINDNESS) -> list[tuple[float, Reach]]:
    """Return (competence threshold, how deep it holds) for all of :data:`THRESHOLDS`."""
    return [(threshold, reach(curves, blindness, threshold)) for threshold in THRESHOLDS]


def over_agents(
    agents: Sequence[Curves],
    rng: np.random.Generator,
    *,
    same_mazes: bool,
    blindness: float = BLINDNESS,
    competence: float = COMPETENCE,
    draws: int = bootstrap.DRAWS,
) -> Boundary:
    """Return the boundary of the agents' mean curves, interval from agents drawn anew, and for each of them mazes.

    Args:
        agents: the curves of each agent, two or more, at the same sites.
        rng: draws agents and resamples.
        same_mazes: all agents were swept on the same levels with the same resamples; a draw then takes the same mazes
            for all, since a maze that is hard for one is hard for the others. Else each agent's are drawn on their own.
        blindness: least blindness of every site up to the boundary.
        competence: least competence of every site up to the boundary.
        draws: number of draws.

    Raises:
        InputError: for agents whose sites or numbers of resamples differ, or fewer than two agents.
    """
    first = agents[0]
    if any((agent.sites, agent.classes) != (first.sites, first.classes) for agent in agents):
        raise InputError("the agents were not swept at the same sites; sweep all with the same --sites")
    rows = len(first.boot_blind)
    if any(len(agent.boot_blind) != rows for agent in agents):
        raise InputError("the agents' curves have different numbers of resamples")
    chosen, row = draw_agents(len(agents), rows, rng, same_mazes=same_mazes, draws=draws)
    boot = [
        np.stack([getattr(agent, name) for agent in agents])[chosen, row].mean(axis=1)
        for name in ("boot_blind", "boot_able")
    ]
    mean = [np.mean([getattr(agent, name) for agent in agents], axis=0) for name in ("blind", "able")]
    found = find_boundary(Curves(first.sites, first.classes, *mean, *boot), blindness=blindness, competence=competence)
    rule = found.rule.replace("over mazes", f"over {len(agents)} agents and their mazes")
    return dataclasses.replace(found, rule=f"mean of {len(agents)} agents: {rule}")


def draw_agents(
    agents: int, rows: int, rng: np.random.Generator, *, same_mazes: bool, draws: int = bootstrap.DRAWS
) -> tuple[np.ndarray, np.ndarray]:
    """Return agents drawn anew, and for each the number of a resample of mazes.

    ``int[draws, agents]``, and the same shape or (``same_mazes``) ``int[draws, 1]``.

    Raises:
        InputError: for fewer than two agents.
    """
    if agents < 2:
        raise InputError("an interval over agents needs at least 2 agents")
    chosen = rng.integers(agents, size=(draws, agents))
    return chosen, rng.integers(rows, size=(draws, 1 if same_mazes else agents))


def depth_interval(depths: np.ndarray) -> tuple[int, int]:
    """Return the 95% percentile interval of ``int[draws]`` depths: whole sites, so depths that were found."""
    low, high = np.quantile(depths, [0.025, 0.975], method="inverted_cdf").astype(int)
    return int(low), int(high)


def _name(sites: Sequence[str], reached: int) -> str | None:
    return sites[reached - 1] if reached > 0 else None
