"""Causal maps of one pair of mazes over the picture: a film through all sites, and a heat map of a field.

B's activations are put into one block of A's run at a time; a block's colour is the part of the difference in the next
move that comes with it. What differs is known where the colour is.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from agents.checkpoints.stated import NOTHING, Stated
from agents.networks.policy import Policy
from envs.errors import RANGES, InputError, counted
from envs.maze import Cell, Maze
from steering.interventions.partial import PartialNetwork
from steering.interventions.places import BLOCKS, block_of, check_map
from steering.interventions.sites import Site, find_site
from steering.planning.located import PLACES, PairRuns, Shown, chunks, patched, shown_cheese, shown_detour
from steering.planning.maps import block_effects
from steering.planning.measure import map_sites
from steering.planning.pairs import DISTANCE, Goal, Kind, drawn_pairs
from steering.statistics.formatting import short_site_name
from steering.statistics.seeding import generator
from steering.sweep.artifacts import PLANNING
from steering.sweep.spec import SPEC, SweepSpec
from videos.chart import curve_chart
from videos.encode import check_film_path, write_film
from videos.fields import Heat, signed_heat
from videos.scene import HeatOverlay
from videos.side_by_side import STANDARD, Look, Panel, grid_frames
from videos.stage import GAP, film_width

PAIRS = 8  # drawn, of which the one that changes the next move most is shown
CHART_HEIGHT = 240
FULL = 0.2  # of the effect: from there on the colour is full
KEY = (f"orange: what this block alone carries to the twin's move (full colour: {FULL} and more)", "blue: away from it")


@dataclass(frozen=True)
class PairMap:
    """Causal maps of one pair of mazes."""

    shown: Shown
    """The pair: the level (A) and its twin (B)."""
    goal: Goal
    """Where the detour leads."""
    apart: float
    """TV(A, B) of the next move, 0 to 1."""
    blocks: np.ndarray
    """Part of the effect that each block carries, ``float64[sites, 8, 8]``, at most 1."""
    places: np.ndarray
    """Part that each place carries as a whole, ``float64[sites, 4]``."""

    def captions(self, k: int) -> tuple[str, str]:
        """Return in words which block carries most at site ``k``, and what whole places carry."""
        row, column = divmod(int(self.blocks[k].argmax()), BLOCKS)
        place = PLACES[int(self.shown.places[:, row, column].argmax())]
        parts = zip(PLACES, self.places[k].round(2) + 0.0, strict=True)
        whole = " | ".join(f"{name} {part:.2f}" for name, part in parts)
        return f"strongest block {self.blocks[k].max():.2f} ({place})", whole


def pair_map(policy: Policy, maze: Maze, sites: Sequence[Site], seed: int = 0, distance: int = DISTANCE) -> PairMap:
    """Return the maps of the detour pair that changes the next move most, of those drawn for this level.

    Args:
        policy: of a network that can be traced.
        maze: the level, with its cheese; detours to the cheese are drawn, or to the corner if there are none.
        sites: maps, in depth order.
        seed: of the drawing.
        distance: cells, Chebyshev, between the mouse and every changed cell.

    Raises:
        InputError: for a level without a pair whose places are apart.
    """
    for goal in Goal:
        rng = generator(seed, maze.level or 0, f"film of a detour to the {goal.value}", 0)
        drawn = drawn_pairs(maze, Kind.DETOUR, goal, PAIRS, seed, distance)
        pairs = [shown for shown in (shown_detour(pair, rng) for pair in drawn) if shown is not None]
        if not pairs:
            continue
        best = [most_changed_pair(policy, pairs)]
        effects, places = block_effects(policy, best, sites), patched(policy, best, sites)
        size = float(effects.apart[0]) or 1.0
        return PairMap(
            shown=best[0],
            goal=goal,
            apart=float(effects.apart[0]),
            blocks=1 - effects.rest[:, 0] / size,
            places=1 - places.carried[:, : len(PLACES), 0] / size,
        )
    raise InputError(
        f"{maze.label}: no detour {counted(distance, 'cell')} away whose places do not touch; choose another level"
    )


def most_changed_pair(policy: Policy, pairs: Sequence[Shown]) -> Shown:
    """Return the pair whose two next moves differ most, the first of equals."""
    net = PartialNetwork(policy.net)
    return pairs[int(np.concatenate([PairRuns(net, part).apart for part in chunks(pairs)]).argmax())]


@dataclass(frozen=True)
class MappedRun:
    """A run of a sweep or of ``planning``, as far as its maps depend on it."""

    checkpoint: str
    """Name of the agent, as the run has it."""
    sha256: str
    """Digest of its file."""
    stated: Stated
    """What the sweep's user stated of the checkpoint."""
    levels: tuple[int, ...]
    """Seeds of its levels."""
    mode: str
    """Procgen's distribution mode."""
    seed: int
    """Seed of the drawing."""
    distance: int
    """Cells, Chebyshev, between the mouse and every changed cell."""

    @classmethod
    def load(cls, run: Path) -> MappedRun:
        """Read a run directory; raises :class:`InputError` for anything else."""
        if (run / SPEC).is_file():
            spec = SweepSpec.load(run)
            return cls(spec.checkpoint, spec.sha256, spec.stated, spec.levels, spec.mode, spec.seed, DISTANCE)
        found = PLANNING.read(run, "give a run directory of layer-sweep or planning")
        of, agent = found.settings, found.checkpoint
        return cls(agent.name, agent.sha256, NOTHING, of.levels, of.mode, of.seed, of.distance)

    def maze(self, level: int | None) -> Maze:
        """Return the level asked for, or the first that has a detour to the cheese.

        Raises:
            InputError: for a level that is not in the run, or where none has a pair.
        """
        if level is not None and level not in self.levels:
            some = ", ".join(map(str, self.levels[:20]))
            raise InputError(f"--level {level} is not in this run; choose one of {some}")
        for seed in self.levels if level is None else (level,):
            maze = Maze.from_level(seed, self.mode)
            if level is not None or drawn_pairs(maze, Kind.DETOUR, Goal.CHEESE, 1, self.seed, self.distance):
                return maze
        raise InputError(f"no level of this run has a detour {counted(self.distance, 'cell')} away; take larger levels")


def film_map(
    policy: Policy,
    maze: Maze,
    out: Path,
    *,
    seed: int = 0,
    distance: int = DISTANCE,
    seconds: float = 2.0,
    look: Look = STANDARD,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> Path:
    """Write the film of one pair's causal map, site by site: the level, its twin, and what the source still carries.

    Args:
        policy: of a network that can be traced.
        maze: the level, with its cheese.
        out: the film.
        seed: of the drawing of the pair.
        distance: cells, Chebyshev, between the mouse and every changed cell.
        seconds: how long each site is shown, .1 to 600.
        look: sizes; marks and times are the film's own.
        progress: told ``(done, total)`` in sites, before each and at the end.

    Returns:
        The path of the film.

    Raises:
        InputError: as :func:`pair_map`, for a network without maps, numbers out of range, or as
            :func:`videos.encode.write_film` does.
    """
    RANGES["seconds"].check(seconds)
    path, sites = check_film_path(out), map_sites(policy)
    progress(0, len(sites))
    found = pair_map(policy, maze, sites, seed, distance)
    names = [short_site_name(site.name) for site in sites]
    still = dataclasses.replace(look, marks=False, lead=0.0, card=0.0, hold=seconds)

    def frames() -> Iterator[np.ndarray]:
        for k, name in enumerate(names):
            progress(k, len(names))
            heat = HeatOverlay(found.blocks[k][None], 0.5 / BLOCKS, 1 / BLOCKS, FULL)
            titles = "A: the level", "B: its twin; parts that whole places carry"
            panels = [
                Panel(title, [found.shown.state], said, maze=world, heat=heat)
                for title, said, world in zip(titles, found.captions(k), found.shown.mazes, strict=True)
            ]
            header = (
                f"{maze.label}, policy {policy.name}: B's activations in one block of A at {name} ({k + 1} of "
                f"{len(names)}); a detour to the {found.goal.value}, TV(A, B) {found.apart:.2f}"
            )
            size = CHART_HEIGHT, film_width(len(panels), look.side) - 2 * GAP
            chart = curve_chart(names, list(found.places[:, 0]), k + 1, size, "the source carries")
            yield from grid_frames([(maze, panels)], header=header, footer=list(KEY), look=still, chart=chart)
        progress(len(names), len(names))

    return write_film(path, frames(), look.fps)


def field_map(policy: Policy, maze: Maze, site: str) -> tuple[Heat, Cell]:
    """Return what each block carries of the cheese's effect on the next move, for each cell, and where the mouse is.

    The mouse stands where the cheese changes its move most; the label says how much.

    Args:
        policy: of a network that can be traced.
        maze: the level with its cheese (B); without it, it is A.
        site: name of a map.

    Raises:
        InputError: for a site without places, a maze without cheese, or one where it is next to the mouse everywhere.
    """
    where = check_map(find_site(policy.net, site))
    if maze.cheese is None:
        raise InputError(f"{maze.label}: no cheese, so the map has no effect to show; choose another level")
    rng = generator(0, maze.level or 0, "map of a field", 0)
    states = [state for state in maze.states if state.cell != maze.cheese]
    apart = [shown for shown in (shown_cheese(maze, state, rng) for state in states) if shown is not None]
    if not apart:
        raise InputError(f"{maze.label}: the places of cheese and mouse touch everywhere; choose another level")
    shown = most_changed_pair(policy, apart)
    effects = block_effects(policy, [shown], [where])
    size = float(effects.apart[0])
    carried = 1 - effects.rest[0, 0] / (size or 1.0)
    values = np.array([carried[block_of(maze, cell)] for cell in maze.cells])
    label = f"carried at {short_site_name(where.name)} to the mouse (disc), TV {size:.2f}"
    return signed_heat(values, label), shown.state.cell
