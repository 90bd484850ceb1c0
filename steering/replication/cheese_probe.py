"""The published probes for the cheese's place: two channels of a map, read by a unit shared over its positions.

Frames, folds, probes and controls are those of :mod:`steering.probes.scores`; here they get two channels of each map
instead of all. Which two, and whether the unit sees one position or its neighbours too, is settled on levels of their
own: of the channels that track the cheese best by the rule of :mod:`steering.replication.tracking`, what finds the
cheese most often.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Mapping, Sequence

import numpy as np
import torch
from torch import Tensor

from agents.networks.policy import batches, to_input
from envs.errors import InputError
from envs.maze import Maze
from steering.interventions.hooks import HookedPolicy
from steering.interventions.sites import INPUT, find_site
from steering.probes.convolutional import holding, predicted_positions
from steering.probes.data import FOLDS, ProbeData, probe_data, shuffled
from steering.probes.scores import KERNELS, MAP_CONTROLS, feature_scores
from steering.records.replication import PUBLISHED
from steering.replication.channels import keeps
from steering.replication.protocol import (
    Claim,
    Finding,
    FindingSummary,
    Measure,
    Measurement,
    Sample,
    Setup,
    mean_change,
    pooled_ratio,
)
from steering.replication.tracking import selection_levels, track_all
from steering.statistics.seeding import generator

CHANNELS = 2
CANDIDATES = 8  # channels of which the two are chosen
STATES = 8  # frames of each maze
CHOOSING = 4  # of each level that channels are chosen on
FEWEST = 2 * FOLDS  # mazes below which nothing is learned
ENDS = tuple(f"embedder.block{number}.res2.resadd" for number in (1, 2, 3))
PERFECT = 0.9  # of the cheeses found, at least, for "near-perfect"
PARTS = ("hits", "control_hits", "distance", "squares", "usual", "kernel")  # of each place, see measure_probe

Reading = tuple[tuple[int, ...], int]  # channels, and the side of the neighbourhood that the unit sees


def places(bench: Setup) -> list[str]:
    """Return the sites probed, pixels first: the ends of the blocks that the network has, and the setup's own site."""
    found = [INPUT]
    for name in ENDS:
        try:
            found.append(find_site(bench.policy.net, name).name)
        except InputError:
            continue
    sites = {*found, bench.site.name}
    return sorted(sites, key=lambda name: find_site(bench.policy.net, name).depth)


def measure_probe(bench: Setup, mazes: Sequence[Maze]) -> list[Measurement]:
    """Measure each maze's number of frames and, as ``<place> <part>``, sums over them of what the probes said.

    Of the shared unit: cheeses found (``hits``; ``control_hits``: learned on shuffled labels) and cells off the cheese
    (``distance``); of the linear probe: squared cells off (``squares``; ``usual``: of the mean cell). Every maze is
    told about by probes learned on others. NaN where there are too few mazes to learn from.
    """
    names = places(bench)
    if len(mazes) < FEWEST:
        return [{"frames": np.nan} | {f"{place} {part}": np.nan for place in names for part in PARTS} for _ in mazes]
    seed = bench.settings.seed
    data = probe_data(bench.policy, mazes, STATES, seed)
    controls = [shuffled(data, generator(seed, 0, "replicate shuffled labels", draw)) for draw in range(MAP_CONTROLS)]
    readings = _readings(bench, names)
    maps = _maps(bench, data.frames, {name: channels for name, (channels, _) in readings.items()})
    columns = {"frames": np.bincount(data.maze)}
    for place in names:
        kernel = readings[place][1]
        scores = feature_scores(maps[place], data, controls)
        found = (scores.map or {})[f"{kernel}x{kernel}"]
        squares = [data.per_maze(np.square(each)) for each in (scores.cell.distance, scores.cell.mean)]
        sums = [np.array(part) for part in (found.hits, found.control_hits, found.distance)]
        parts = [*sums, *squares, np.full(len(mazes), kernel)]
        columns |= {f"{place} {part}": values for part, values in zip(PARTS, parts, strict=True)}
    return [{name: float(values[number]) for name, values in columns.items()} for number in range(len(mazes))]


def _readings(bench: Setup, names: Sequence[str]) -> dict[str, Reading]:
    """Return the channels read at each place: all of the input, the best two of a map."""
    net, settings = bench.policy.net, bench.settings
    inner = [find_site(net, name) for name in names if name != INPUT]
    tracked = track_all(bench.policy, inner, settings.seed, settings.mode)
    candidates = {name: found.best(CANDIDATES) for name, found in tracked.items()}
    candidates[INPUT] = tuple(range(find_site(net, INPUT).shape[0]))
    mazes = [maze for maze in Maze.from_levels(selection_levels(settings.seed), settings.mode) if maze.cheese]
    data = probe_data(bench.policy, mazes, CHOOSING, settings.seed)
    maps = _maps(bench, data.frames, candidates)
    return {
        name: best_reading(maps[name], data, those, len(those) if name == INPUT else CHANNELS)
        for name, those in candidates.items()
    }


def best_reading(maps: Tensor, data: ProbeData, channels: Sequence[int], count: int) -> Reading:
    """Return the ``count`` of ``channels`` and the kernel that find most; ``maps`` ``float32[n, c, h, w]`` has all.

    Every frame is answered by a unit learned on the other folds. The first of several that are as good.
    """
    mask = holding(data.cheese, (maps.shape[2], maps.shape[3]), data.world)
    found = {}
    for those in itertools.combinations(range(len(channels)), min(count, len(channels))):
        for kernel in KERNELS:
            positions = next(predicted_positions(maps[:, list(those)], [mask], data.fold, kernel))
            hits = mask.reshape(len(mask), -1)[np.arange(len(mask)), positions].sum()
            found[tuple(channels[i] for i in those), kernel] = hits
    return max(found, key=found.__getitem__)


def _maps(bench: Setup, frames: np.ndarray, channels: Mapping[str, Sequence[int]]) -> dict[str, Tensor]:
    """Return ``float32[n, c, h, w]``, the given channels of each place."""
    hooked, parts = HookedPolicy(bench.policy.net), []
    for part in batches(frames):
        seen = hooked.run(to_input(part), capture=list(channels))[2]
        parts.append({name: seen[name][:, list(those)] for name, those in channels.items()})
    return {name: torch.cat([part[name] for part in parts]).contiguous() for name in channels}


def summarize_probe(bench: Setup, sample: Sample) -> FindingSummary:
    """Sum up cheeses found at each place, against shuffled labels, and the cell's variance explained linearly."""
    hits: dict[str, Measure] = {}
    figures = []
    for place in places(bench):
        words = f"{place}, {'all' if place == INPUT else CHANNELS} channels"
        hits[place] = sample.figure(f"{words}: cheeses found", pooled_ratio, f"{place} hits", "frames")
        usual = sample.column(f"{place} usual")
        figures += [
            hits[place],
            sample.figure(f"{words}: found, labels shuffled", pooled_ratio, f"{place} control_hits", "frames"),
            sample.figure(f"{words}: cells off the cheese", pooled_ratio, f"{place} distance", "frames"),
            sample.figure(
                f"{words}: cell's variance explained linearly",
                pooled_ratio,
                usual - sample.column(f"{place} squares"),
                usual,
            ),
        ]
    claims = [
        Claim(f"near-perfect at {place}, with over {PERFECT:g} found", hits[place].above(PERFECT))
        for place in _early(hits)
    ]
    if len(sample) < FEWEST:
        return FindingSummary(tuple(hits.values()), tuple(claims), _notes(sample, hits))
    if ENDS[1] in hits and ENDS[2] in hits:
        share = {place: sample.column(f"{place} hits") / sample.column("frames") for place in ENDS[1:]}
        label = "share found, end of block 3 minus end of block 2"
        figures.append(sample.figure(label, mean_change, share[ENDS[2]], share[ENDS[1]]))
        claims.append(Claim("fewer are found at the end of block 3 than at the end of block 2", figures[-1].below(0)))
    return FindingSummary(tuple(figures), tuple(claims), _notes(sample, hits))


def _early(hits: dict[str, Measure]) -> list[str]:
    """Return the places of which near-perfect reading was published: blocks 1 and 2; else the one site probed."""
    ends = [place for place in ENDS[:2] if place in hits]
    return ends or [place for place in hits if place != INPUT]


def _notes(sample: Sample, names: Iterable[str]) -> tuple[str, ...]:
    if len(sample) < FEWEST:
        return (f"There are too few mazes ({len(sample)}): nothing is learned below {FEWEST}.",)
    kernels = ", ".join(f"{name} {row:.0f}x{row:.0f}" for name in names for row in sample.values(f"{name} kernel")[:1])
    return (
        f"Each maze has {STATES} frames, each with a cheese of its own. There are {FOLDS} folds of whole mazes. A "
        "cheese is found where the unit, shared over all positions, gives its largest answer.",
        f"Channels are chosen among the {CANDIDATES} that track the cheese best. Channels and kernel ({kernels}) are "
        "those that find most on levels of their own. A unit learned on shuffled labels beats chance where the cheese "
        "stands out in the picture. `mazesteer probe` reads all channels at all sites.",
    )


PROBE = Finding(
    PUBLISHED["probe"],
    None,
    summarize_probe,
    keeps=keeps,
    maps=True,
    jointly=measure_probe,
)
