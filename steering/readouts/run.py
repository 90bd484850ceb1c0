"""From options to ``readouts.json``: the second half of the ``probe`` command, resumable readout by readout."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version

from agents.checkpoints.zoo import load_stated
from agents.hardware import check_memory, on_device
from agents.networks.policy import Policy, device_of
from envs.errors import RANGES, InputError, check_random_seed, stopped_with, told_if_stopped
from envs.files import write_atomic
from envs.maze import Maze
from envs.stored.json_records import to_json, to_plain
from steering.experiments.levels import check_levels_asked
from steering.interventions.sites import INPUT, Site, find_site, select_sites
from steering.measuring.beside_sweep import MeasureOptions, mazes_beside_sweep, measurements
from steering.measuring.rows import digest_of, keep_rows, stored_rows
from steering.planning.pairs import DISTANCE
from steering.planning.readers import HORIZONS, reader_name
from steering.readouts.frames import Asked, agent_told, asked_of
from steering.readouts.learners import FOLDS, Moments
from steering.readouts.measure import (
    CHUNK,
    GROUP_BYTES,
    Reading,
    frames_to_learn,
    learn_narrow,
    learn_wide,
    readings_of,
)
from steering.readouts.summary import RULE, Levels, Shares, appearances, readers_record, readout_sites
from steering.readouts.windows import LOOK, RADII, ladder_told, readers_told, window_name
from steering.records.readouts import VIEWS, ReadoutSettings, ReadoutSummary, Told
from steering.records.sweep import CheckpointId
from steering.statistics import bootstrap
from steering.statistics.seeding import generator
from steering.sweep.artifacts import READOUTS
from steering.sweep.store import Store

FRAMES = 20_480
PAIRS = 8
DEFAULT_LEVELS = 200  # as of the probes
REVISION = 1  # of how readouts are learned and asked: what another one told is asked again
COUNTS, AGENT = "readouts asked", "readouts agent"


@dataclass(frozen=True)
class ReadoutOptions(MeasureOptions):
    """The options, as typed."""

    sites: str = "trunk"
    """``trunk``, ``all``, or names separated by commas."""
    states: int = 8
    """Frames asked about of each level, at least 1."""
    frames: int = FRAMES
    """Frames learned from at most."""
    pairs: int = PAIRS
    """Detour pairs of each goal and level, at least 1."""
    distance: int = DISTANCE
    """Cells, Chebyshev, between the mouse and every changed cell, at least 1."""


def learning_sizes(frames: int) -> tuple[int, ...]:
    """Return the numbers of frames that readouts are learned from: a sixteenth, a quarter, all.

    Rounded up to whole chunks; of fewer than five chunks no penalty can be chosen, so these are left out.
    """
    chunks = sorted({-(-frames // (CHUNK * part)) for part in (16, 4, 1)})
    return tuple(CHUNK * number for number in chunks if number >= FOLDS)


def check_frames(frames: int) -> tuple[int, ...]:
    """Return :func:`learning_sizes`; raise :class:`InputError` for fewer frames than readouts can learn from."""
    sizes = learning_sizes(RANGES["frames"].check(frames))
    if not sizes:
        raise InputError(f"frames {frames}: give {CHUNK * (FOLDS - 1) + 1} at least, or 0 for no readouts")
    return sizes


def run_readouts(
    options: ReadoutOptions, progress: Callable[[int, int], None] = lambda done, total: None
) -> ReadoutSummary:
    """Learn and ask what is missing, write ``readouts.json``, and return what it holds.

    On one thread, so that every machine gets the same numbers. What a readout has told is not asked again.

    Args:
        options: what to read, of which levels, and where to keep it.
        progress: told ``(done, total)`` in chunks of frames.

    Returns:
        The content of ``readouts.json``: shares with 95% intervals over mazes.

    Raises:
        InputError: in one line, for options that cannot be met, or a directory in use or of another agent.
    """
    policy, mazes, sites, settings = _plan(options, progress)
    with measurements(options.out, policy, settings.mode) as store:
        work = _Work(store, policy, mazes, sites, settings, progress)
        with told_if_stopped(lambda: stopped_with(work.told, options.out)):
            work.measure()
        result = work.result()
        write_atomic(options.out / READOUTS.file, to_json(result, indent=1))
    return result


def _plan(
    options: ReadoutOptions, progress: Callable[[int, int], None]
) -> tuple[Policy, list[Maze], list[Site], ReadoutSettings]:
    """Return the agent, the mazes, the sites and the settings; raise :class:`InputError` for wrong options."""
    check_random_seed(options.seed)
    for name in ("states", "frames", "pairs", "distance"):
        RANGES[name].check(getattr(options, name))
    check_levels_asked(options.levels, options.n_levels)
    sizes = check_frames(options.frames)
    policy = on_device(load_stated(options.checkpoint, options.stated), options.device)
    sites = select_sites(options.sites, policy.net)
    if INPUT not in [site.name for site in sites]:  # the baseline of every comparison
        sites = [find_site(policy.net, INPUT), *sites]
    mazes, mode = mazes_beside_sweep(options, policy, progress, default=DEFAULT_LEVELS)
    asked = len(mazes) * (options.states + 4 * options.pairs)
    check_memory(GROUP_BYTES + asked * 64 * 64 * 3, f"readouts of {asked:,} frames")
    settings = ReadoutSettings(
        levels=tuple(int(maze.level or 0) for maze in mazes),
        states=options.states,
        pairs=options.pairs,
        distance=options.distance,
        frames=sizes,
        seed=options.seed,
        mode=mode,
        device=device_of(policy.net).type,
    )
    return policy, mazes, sites, settings


class _Work:
    """What is to be measured of one agent, and what the database holds of it."""

    def __init__(
        self,
        store: Store,
        policy: Policy,
        mazes: Sequence[Maze],
        sites: Sequence[Site],
        settings: ReadoutSettings,
        progress: Callable[[int, int], None],
    ) -> None:
        self._store, self._policy, self._mazes, self._sites = store, policy, mazes, sites
        self._settings, self._progress = settings, progress
        shared = {**to_plain(settings), "frames": None, "revision": REVISION}
        del shared["device"]  # of which a directory has one
        self._basis = digest_of(shared)
        self._known = {part: stored_rows(store, part, self._basis, Told) for part in self._parts()}

    @property
    def told(self) -> str:
        """Return how much is stored, in words."""
        whole = sum(self._whole(part) for part in self._known)
        return f"{whole} of {len(self._known)} readouts and readers"

    def _parts(self) -> Iterator[str]:
        """Yield the names of everything that is asked."""
        yield from (COUNTS, AGENT)
        yield from map(_ladder, HORIZONS)
        for size in self._settings.frames:
            yield from (_learned(size, name) for name in (*map(window_name, RADII), LOOK))
            for reading in readings_of(self._sites):
                if reading.fits(size):
                    yield _read(size, reading.site.name, reading.view)

    def _whole(self, part: str) -> bool:
        return len(self._known[part]) == len(self._mazes)

    def measure(self) -> None:
        """Learn, ask and store what is missing."""
        if all(map(self._whole, self._known)):
            return
        settings, policy, mazes = self._settings, self._policy, self._mazes
        asked = asked_of(policy, mazes, settings.states, settings.pairs, settings.distance, settings.seed)
        if not self._whole(COUNTS):
            ladder = {_ladder(horizon): levels for horizon, levels in ladder_told(asked, mazes).items()}
            self._keep({COUNTS: asked.counts(), AGENT: agent_told(policy, asked), **ladder})
        jobs = [*self._narrow(), *self._wide()]
        readers = [size for size in settings.frames if not self._whole(_learned(size, LOOK))]
        total = sum(max(sizes) for _, sizes in jobs) // CHUNK + sum(readers) // CHUNK
        done = 0

        def step(chunks: int = 1) -> None:
            nonlocal done
            done += chunks
            self._progress(done, total)

        step(0)
        learned = frames_to_learn(mazes, max(readers), settings.seed) if readers else None
        for size in readers:
            assert learned is not None
            found = readers_told(asked, learned.part(slice(size)))
            self._keep({_learned(size, name): levels for name, levels in found.items()})
            step(size // CHUNK)
        for readings, sizes in jobs:
            self._learn(asked, readings, sizes, step)

    def _learn(self, asked: Asked, readings: Sequence[Reading], sizes: Sequence[int], step: Callable[[], None]) -> None:
        def done(size: int, reading: Reading, levels: Levels) -> None:
            self._keep({_read(size, reading.site.name, reading.view): levels})

        shared = (self._policy, self._mazes, asked, readings)
        if readings[0].narrow:
            learn_narrow(*shared, sizes, self._settings.seed, done, step)
        else:
            learn_wide(*shared, sizes[0], self._settings.seed, done, step)

    def _missing(self, reading: Reading) -> list[int]:
        return [
            size
            for size in self._settings.frames
            if reading.fits(size) and not self._whole(_read(size, reading.site.name, reading.view))
        ]

    def _narrow(self) -> Iterator[tuple[list[Reading], list[int]]]:
        """Yield groups of readouts whose sums fit into memory together, with the numbers of frames to learn from."""
        missing = [reading for reading in readings_of(self._sites) if reading.narrow and self._missing(reading)]
        for group in _groups(missing, lambda reading: Moments.bytes(reading.size) * (reading.view in VIEWS[-2:])):
            yield group, sorted({size for reading in group for size in self._missing(reading)})

    def _wide(self) -> Iterator[tuple[list[Reading], list[int]]]:
        """Yield groups of readouts of more numbers whose activations fit into memory, with one number of frames."""
        for size in self._settings.frames:
            missing = [r for r in readings_of(self._sites) if not r.narrow and size in self._missing(r)]
            for group in _groups(missing, lambda reading, size=size: 4 * size * reading.size):  # type: ignore[misc]
                yield group, [size]

    def _keep(self, found: Mapping[str, Levels]) -> None:
        """Store what was told of every level."""
        rows = {part: dict(zip(self._settings.levels, levels, strict=True)) for part, levels in found.items()}
        keep_rows(self._store, self._basis, rows)
        self._known |= rows

    def _levels(self, part: str) -> Levels | None:
        """Return what was told, level by level; None: not learned."""
        known = self._known.get(part)
        return None if known is None else [known[level] for level in self._settings.levels]

    def result(self) -> ReadoutSummary:
        """Return everything that ``readouts.json`` says."""
        settings, sites = self._settings, self._sites
        counts, agent = self._levels(COUNTS), self._levels(AGENT)
        assert counts is not None and agent is not None
        samples = bootstrap.resamples(len(self._mazes), generator(settings.seed, 0, "readouts bootstrap", 0))
        shares, largest = Shares(counts, samples), max(settings.frames)
        curves: dict[str, dict[int, Levels]] = {}
        for horizon in HORIZONS:
            curves[reader_name(horizon)] = {0: self._levels(_ladder(horizon)) or []}
        for name in (*map(window_name, RADII), LOOK):
            curves[name] = {size: self._levels(_learned(size, name)) or [] for size in settings.frames}

        def told(site: str, view: str, size: int = largest) -> Levels | None:
            return self._levels(_read(size, site, view))

        last = {name: list(curve.values())[-1] for name, curve in curves.items()}
        detours, moves = appearances(sites, told, last, settings.distance, shares)
        return ReadoutSummary(
            format=READOUTS.format,
            checkpoint=CheckpointId(self._policy.name, self._policy.sha256),
            settings=settings,
            versions={name: version(name) for name in ("mazesteer", "numpy", "scikit-learn", "torch")},
            asked=_sum([level.right for level in counts]),
            pairs=_sum([level.follows for level in counts]),
            agent=shares.record(agent, 0),
            readers=readers_record(curves, shares),
            sites=tuple(readout_sites(sites, told, settings.frames, self._mazes[0].state.world_dim, shares)),
            detours=detours,
            moves=moves,
            rule=RULE,
        )


def _sum(rows: Sequence[Mapping[str, float]]) -> dict[str, int]:
    return {name: int(sum(row[name] for row in rows)) for name in rows[0]}


def _ladder(horizon: int | None) -> str:
    return f"readouts reader {reader_name(horizon)}"


def _learned(size: int, name: str) -> str:
    return f"readouts {name} from {size}"


def _read(size: int, site: str, view: str) -> str:
    return f"readouts {view} of {site} from {size}"


def _groups(readings: Sequence[Reading], memory: Callable[[Reading], int]) -> Iterator[list[Reading]]:
    """Yield the readings in groups, each of one at least and of at most :data:`GROUP_BYTES`."""
    group: list[Reading] = []
    used = 0
    for reading in readings:
        if group and used + memory(reading) > GROUP_BYTES:
            yield group
            group, used = [], 0
        group.append(reading)
        used += memory(reading)
    if group:
        yield group
