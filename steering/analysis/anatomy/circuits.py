"""Do two agents use the same channels? The sets that carry the cheese in each, from the rows of their runs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields

import numpy as np

from envs.errors import InputError
from steering.analysis.anatomy.matching import correlations, partners, varying
from steering.analysis.compared_runs import ComparedRun
from steering.anatomy.circuit.orders import checking_half, finding_half
from steering.anatomy.circuit.overlap import overlap
from steering.anatomy.circuit.rows import BASIS, POINTS, POINTS_BASIS, SINGLES, PointsRow, SinglesRow
from steering.anatomy.kept import row_basis, rows_name
from steering.measuring.rows import stored_rows
from steering.records.anatomy.circuit_site import CircuitSite, Overlap
from steering.records.anatomy.shared_channels import (
    Common,
    ComparedCircuit,
    ComparedCircuits,
    MeanShared,
    SharedChannels,
)
from steering.records.anatomy.summary import CIRCUIT, AnatomySettings
from steering.records.probes import Estimate
from steering.records.sites import SiteFacts
from steering.statistics import bootstrap
from steering.statistics.seeding import generator
from steering.sweep.artifacts import ANATOMY
from steering.sweep.store import Store

AGAIN = "type `mazesteer anatomy` again"
Masks = np.ndarray  # channels of a set, by resample of the mazes: bool[draws, c]


@dataclass(frozen=True)
class CircuitRows:
    """The sub-circuits of one agent, as its run holds them."""

    name: str
    """Name of the run."""
    settings: AnatomySettings
    """Settings of the command."""
    sites: tuple[CircuitSite, ...]
    """What was found at each site."""
    singles: Mapping[int, SinglesRow]
    """Channels one by one, by level."""
    points: Mapping[int, PointsRow]
    """Activations at points, by level."""

    def whole(self, site: CircuitSite) -> bool:
        """Return whether every row has all channels of a site."""
        channels = [len(row.sites[site.name].alone) for row in self.singles.values() if site.name in row.sites]
        channels += [len(row.sites[site.name]) for row in self.points.values() if site.name in row.sites]
        return channels == [site.channels] * (len(self.singles) + len(self.points))


def compared_circuits(runs: Sequence[ComparedRun], seed: int) -> ComparedCircuits | None:
    """Return what channels each run shares with the first that measured sub-circuits; None where none did.

    None also where two runs are of the same agent.

    Args:
        runs: of agents of their own.
        seed: of the resamples.

    Raises:
        InputError: for a file or rows that cannot be read.
    """
    if len({run.spec.sha256 for run in runs}) < len(runs):
        return None
    files = [ANATOMY.of_sweep(run.directory, run.spec.sha256, run.spec.mode) for run in runs]
    if all(anatomy is None or anatomy.circuit is None for anatomy, _ in files):
        return None
    found: list[CircuitRows] = []
    missing: list[str] = []
    for run, (anatomy, note) in zip(runs, files, strict=True):
        if anatomy is None or anatomy.circuit is None:
            missing.append(f"{run.name}: {note or 'not measured'}")
            continue
        rows = _rows_of(run, anatomy.settings, anatomy.circuit)
        if why := _lacking(rows) or (_unlike(found[0], rows) if found else ""):
            missing.append(f"{run.name}: {why}")
        else:
            found.append(rows)
    first = found[0] if found else None
    return ComparedCircuits(
        against=first.name if first else None,
        levels=len(finding_half(first.settings.levels)) if first else 0,
        facts=tuple(_facts(site) for site in first.sites) if first else (),
        halves=_halves(first) if first else None,
        arms=tuple(shared_channels(found[0], other, seed) for other in found[1:]),
        missing="; ".join(missing),
    )


def _facts(site: CircuitSite) -> SiteFacts:
    return SiteFacts(**{field.name: getattr(site, field.name) for field in fields(SiteFacts)})


def _rows_of(run: ComparedRun, settings: AnatomySettings, sites: tuple[CircuitSite, ...]) -> CircuitRows:
    """Return the rows of a run that were measured with the settings of its ``anatomy.json``."""
    with Store.open(run.directory) as store:
        singles = stored_rows(store, rows_name(CIRCUIT, SINGLES), row_basis(settings, BASIS), SinglesRow)
        points = stored_rows(store, rows_name(CIRCUIT, POINTS), row_basis(settings, POINTS_BASIS), PointsRow)
    return CircuitRows(run.name, settings, sites, singles, points)


def _lacking(rows: CircuitRows) -> str:
    """Return why the rows of a run do not serve; empty if they do."""
    wanted = set(rows.settings.levels)
    if wanted <= set(rows.singles) and wanted <= set(rows.points) and all(map(rows.whole, rows.sites)):
        return ""
    return f"the run lacks rows of its sub-circuits; {AGAIN}"


def _unlike(first: CircuitRows, other: CircuitRows) -> str:
    """Return why two agents cannot be compared; empty if they can."""
    ours, theirs = ({site.name: site.channels for site in rows.sites} for rows in (first, other))
    if ours != theirs:
        odd = next(name for name in [*ours, *theirs] if ours.get(name) != theirs.get(name))
        here, there = (each.get(odd, "no") for each in (theirs, ours))
        return f"{odd} has {here} channels here and {there} in {first.name}; compare agents of one architecture"
    for what in ("levels", "seed", "mode"):
        if getattr(first.settings, what) != getattr(other.settings, what):
            return f"measured with another {what} than {first.name}; measure both alike"
    return ""


def shared_channels(first: CircuitRows, other: CircuitRows, seed: int) -> ComparedCircuit:
    """Return what the channels for half of the blindness of two agents have in common, site by site.

    Each agent's set is that of its summary: ranked on the first half of the levels, as many as give half of the
    blindness on the second. Channels are matched by their activations at the points of the first half
    (:func:`steering.analysis.anatomy.matching.partners`). In a resample of the levels of the first half, the same for
    both agents, channels are ranked anew; the sizes of the sets and the matching stay.

    Args:
        first: rows of the one agent.
        other: rows of the other.
        seed: of the resamples.

    Raises:
        InputError: in one line, where their sites, numbers of channels, levels, seeds or modes differ.
    """
    if why := _unlike(first, other):
        raise InputError(f"{other.name}: {why}")
    levels = finding_half(first.settings.levels)
    weights = bootstrap.counts(bootstrap.resamples(len(levels), generator(seed, 0, "shared channels", 0)))
    sites, draws = [], []
    for ours, theirs in zip(first.sites, other.sites, strict=True):
        shared, drawn = _shared_at(first, other, (ours, theirs), weights)
        sites.append(shared)
        if drawn is not None and ours.depth > 0:
            draws.append((shared, drawn))
    return ComparedCircuit(other.name, _mean(draws, len(levels), _halves(other)), tuple(sites))


def _shared_at(
    first: CircuitRows, other: CircuitRows, pair: tuple[CircuitSite, CircuitSite], weights: np.ndarray
) -> tuple[SharedChannels, np.ndarray | None]:
    """Return what two agents share at one site, and Jaccards by resample ``float[2, draws]``; None: there are none."""
    name, channels = pair[0].name, pair[0].channels
    levels = finding_half(first.settings.levels)
    fitted = [_points(rows, name, levels) for rows in (first, other)]
    partner = partners(*fitted)
    both = varying(fitted[0]) & varying(fitted[1])[partner]
    numbered = matched = Common(None, Estimate(None, None, None))
    drawn = None
    counts = [int(site.half.ranked.value or channels) for site in pair]
    if max(counts) < channels:
        one, two = (set(site.ranking[:count]) for site, count in zip(pair, counts, strict=True))
        masks = [_masks(rows, name, levels, weights, count) for rows, count in zip((first, other), counts, strict=True)]
        drawn = np.array([_jaccards(masks[0], theirs) for theirs in (masks[1], masks[1][:, partner])])
        numbered = _common(overlap(one, two, channels), drawn[0], len(levels))
        two = {channel for channel in range(channels) if int(partner[channel]) in two}
        matched = _common(overlap(one, two, channels), drawn[1], len(levels))
    shared = SharedChannels(
        site=name,
        channels=channels,
        numbered=numbered,
        matched=matched,
        in_place=_share(partner == np.arange(channels), both),
        correlation=_held_out(first, other, name, partner),
    )
    return shared, drawn


def _held_out(first: CircuitRows, other: CircuitRows, site: str, partner: np.ndarray) -> float | None:
    """Return the mean correlation of partners on the levels that did not match them; None: none of them varies."""
    levels = checking_half(first.settings.levels)
    ours, theirs = (_points(rows, site, levels) for rows in (first, other))
    theirs = theirs[partner]
    return _share(np.diagonal(correlations(ours, theirs)), varying(ours) & varying(theirs))


def _share(values: np.ndarray, which: np.ndarray) -> float | None:
    """Return the mean of some values; None of none."""
    return float(np.mean(values[which])) if which.any() else None


def _points(rows: CircuitRows, site: str, levels: Sequence[int]) -> np.ndarray:
    """Return the activations of a site's channels at the points of some levels: ``float64[c, n]``."""
    none = np.empty((len(rows.singles[rows.settings.levels[0]].sites[site].alone), 0))
    return np.concatenate([none, *(np.array(rows.points[level].sites[site]) for level in levels)], axis=1)


def _masks(rows: CircuitRows, site: str, levels: Sequence[int], weights: np.ndarray, count: int) -> Masks:
    """Return the first ``count`` channels as each resample of the levels ranks them."""
    left = weights @ np.array([rows.singles[level].sites[site].alone for level in levels])
    found = np.zeros(left.shape, dtype=bool)
    np.put_along_axis(found, np.argsort(left, axis=1, kind="stable")[:, :count], True, axis=1)
    return found


def _jaccards(one: Masks, other: Masks) -> np.ndarray:
    return np.asarray((one & other).sum(axis=1) / (one | other).sum(axis=1))


def _common(found: Overlap, drawn: np.ndarray, mazes: int) -> Common:
    return Common(found, Estimate(*bootstrap.with_ends(np.array([found.jaccard, *drawn]), mazes)))


def _mean(draws: Sequence[tuple[SharedChannels, np.ndarray]], mazes: int, halves: float | None) -> MeanShared:
    """Return the mean over sites, with intervals over mazes."""
    if not draws:
        none = Estimate(None, None, None)
        return MeanShared(0, none, none, None, halves)
    drawn = np.mean([each for _, each in draws], axis=0)  # [2, draws]
    kinds = [
        [each for shared, _ in draws if (each := getattr(shared, kind).overlap)] for kind in ("numbered", "matched")
    ]
    values = [float(np.mean([each.jaccard for each in kind])) for kind in kinds]
    numbered, matched = (
        Estimate(*bootstrap.with_ends(np.array([value, *row]), mazes)) for value, row in zip(values, drawn, strict=True)
    )
    chance = float(np.mean([each.chance for each in kinds[0]]))
    return MeanShared(len(draws), numbered, matched, chance, halves)


def _halves(rows: CircuitRows) -> float | None:
    """Return the mean Jaccard of an agent with itself, over its sites behind the picture."""
    found = [site.halves.jaccard for site in rows.sites if site.halves is not None and site.depth > 0]
    return float(np.mean(found)) if found else None
