"""The conditions on one level: vectors, each made once, and the interventions they give."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from agents.networks.policy import Policy
from envs.errors import InputError, check_random_seed
from envs.maze import Maze
from steering.experiments.conditions import (
    ALL_SITES,
    BY_NAME,
    CONDITIONS,
    EDIT,
    MAIN,
    MOVE,
    OTHER_LEVEL,
    SAME_CELL,
    Draw,
    Key,
    find_condition,
)
from steering.experiments.edit_text import EditText, edited
from steering.experiments.levels import VectorSource, donor, donors, moved_cheese
from steering.interventions.edits import Intervention, add, subtract
from steering.interventions.sites import Site, enumerate_sites, find_site
from steering.interventions.vectors import (
    SteeringVector,
    cheese_vectors,
    mean_cheese_vectors,
    mean_vector,
    random_vector,
)
from steering.statistics.seeding import generator

Vectors = dict[str, SteeringVector]
MEAN_DRAW = 2**32 - 1  # the draw of the levels that a mean is taken over, apart from those of the controls


@dataclass(frozen=True)
class Given:
    """What a user gives an experiment of his own."""

    vector: SteeringVector | None = None
    """The vector that stands in the place of the level's own; null: none."""
    edits: tuple[EditText, ...] = ()
    """The edits of the condition ``edit``, in their order."""

    @property
    def site(self) -> str | None:
        """Return the site of the vector; None without one."""
        return None if self.vector is None else self.vector.site

    @property
    def names_sites(self) -> bool:
        """Return whether there are edits and each says its site."""
        return bool(self.edits) and all(edit.fixed is not None for edit in self.edits)


NOTHING_GIVEN = Given()


def own_vectors(policy: Policy, maze: Maze, sites: Sequence[str], source: VectorSource, seed: int) -> Vectors:
    """Return the sweep's cheese vectors for one level, by site."""
    if source.kind == "mean":
        return mean_cheese_vectors(policy, maze, sites)
    if source.kind == "levels":
        parts = [cheese_vectors(policy, m, sites) for m in donors(maze, OTHER_LEVEL, seed, MEAN_DRAW, source.count)]
        return {site: mean_vector([part[site] for part in parts]) for site in sites}
    return cheese_vectors(policy, maze, sites, source.cell)


@dataclass
class LevelConditions:
    """Vectors of one level, each made once."""

    policy: Policy
    """The policy whose activations the vectors are differences of."""
    maze: Maze
    """The level, with its cheese."""
    vector: VectorSource
    """Place where the level's own vectors are taken."""
    seed: int
    """Seed of the vectors and levels drawn, 0 or more."""
    sites: list[str]
    """Names of the sites at which vectors are made."""
    given: Given = NOTHING_GIVEN
    """What the user gives."""

    @classmethod
    def of(
        cls,
        policy: Policy,
        maze: Maze,
        vector: VectorSource,
        seed: int,
        keys: Iterable[Key],
        given: Given = NOTHING_GIVEN,
    ) -> LevelConditions:
        """Return the conditions of one level, with the vectors that ``keys`` edit with."""
        keys = list(keys)
        sites = [key.site for key in keys if key.site]
        if any(key.condition == ALL_SITES for key in keys):
            sites += trunk_experiments(enumerate_sites(policy.net))
        return cls(policy, maze, vector, seed, list(dict.fromkeys(sites)), given)

    def __post_init__(self) -> None:
        self._own: Vectors | None = None
        self._drawn: dict[tuple[str, int], tuple[int, Vectors]] = {}
        self._moved: dict[int, tuple[Maze, Vectors]] = {}

    def own(self) -> Vectors:
        """Return this level's cheese vectors, by site; the one given, if there is one."""
        if self.given.vector is not None:
            return {self.given.vector.site: self.given.vector}
        if self._own is None:
            self._own = own_vectors(self.policy, self.maze, self.sites, self.vector, self.seed)
        return self._own

    def drawn(self, condition: str, draw: int) -> tuple[int, Vectors]:
        """Return (level, vectors) of a level drawn for a control."""
        if (condition, draw) not in self._drawn:
            other = donor(self.maze, condition, self.seed, draw)
            make = mean_cheese_vectors if self.vector.kind == "mean" else cheese_vectors
            self._drawn[condition, draw] = (other.level or 0, make(self.policy, other, self.sites))
        return self._drawn[condition, draw]

    def moved(self, draw: int) -> tuple[Maze, Vectors]:
        """Return this level with its cheese on another cell, drawn, and the cheese vectors of that."""
        if draw not in self._moved:
            world = moved_cheese(self.maze, self.seed, draw, self.vector.cell)
            self._moved[draw] = world, own_vectors(self.policy, world, self.sites, self.vector, self.seed)
        return self._moved[draw]

    def source(self, key: Key) -> int | None:
        """Return the level a control's vector is from, if it is another one."""
        of_a_level = BY_NAME[key.condition].draws in (Draw.LEVEL, Draw.LEVEL_WITH_CHEESE_THERE)
        return self.drawn(key.condition, key.draw)[0] if of_a_level else None

    def intervention(self, key: Key) -> Intervention:
        """Return the edit that a key stands for; references change nothing."""
        return EDITS[find_condition(key.condition).name](self, key)


def _nothing(level: LevelConditions, key: Key) -> Intervention:
    return Intervention()


def _subtract(level: LevelConditions, key: Key) -> Intervention:
    return subtract(level.own()[key.site], key.coefficient)


def _add(level: LevelConditions, key: Key) -> Intervention:
    return add(level.own()[key.site], key.coefficient)


def _subtract_random(level: LevelConditions, key: Key) -> Intervention:
    rng = generator(level.seed, key.level, key.site, key.draw)
    return subtract(random_vector(level.own()[key.site], rng), key.coefficient)


def _subtract_drawn(level: LevelConditions, key: Key) -> Intervention:
    return subtract(level.drawn(key.condition, key.draw)[1][key.site], key.coefficient)


def _move(level: LevelConditions, key: Key) -> Intervention:
    there = level.moved(key.draw)[1][key.site]
    return subtract(level.own()[key.site], key.coefficient) + add(there, key.coefficient)


def _subtract_everywhere(level: LevelConditions, key: Key) -> Intervention:
    return everywhere(level.policy, level.own(), key.coefficient)


def _as_typed(level: LevelConditions, key: Key) -> Intervention:
    if not level.given.edits:
        raise InputError(f"condition {EDIT!r} needs edits; add --edit")
    return edited(level.given.edits, level.policy, level.maze, key.site, key.coefficient)


# The edit of each condition of the table in :mod:`steering.experiments.conditions`.
EDITS: Mapping[str, Callable[[LevelConditions, Key], Intervention]] = {
    "clean": _nothing,
    "no_cheese": _nothing,
    MAIN: _subtract,
    "add": _add,
    "random": _subtract_random,
    OTHER_LEVEL: _subtract_drawn,
    SAME_CELL: _subtract_drawn,
    MOVE: _move,
    ALL_SITES: _subtract_everywhere,
    EDIT: _as_typed,
}


def everywhere(policy: Policy, vectors: Vectors, coefficient: float) -> Intervention:
    """Subtract at all distinct trunk sites at once, the coefficient shared out equally among them."""
    sites = trunk_experiments(enumerate_sites(policy.net))
    edit = Intervention()
    for site in sites:
        edit = edit + subtract(vectors[site], coefficient / len(sites))
    return edit


def trunk_experiments(sites: Sequence[Site]) -> list[str]:
    """Return the trunk sites that are experiments of their own, in depth order."""
    return [site.name for site in sites if site.trunk and site.equivalence_class == site.name]


def level_intervention(policy: Policy, maze: Maze, key: Key, vector: VectorSource, seed: int) -> Intervention:
    """Return the intervention of one key on one level.

    Args:
        policy: whose activations the vectors are differences of.
        maze: the level, with its cheese.
        key: condition, site, coefficient and draw.
        vector: where the level's own vectors are taken.
        seed: of what is drawn at random.

    Raises:
        InputError: for an unknown condition or site, or if no other level can be drawn.
    """
    return LevelConditions.of(policy, maze, vector, seed, [key]).intervention(key)


def intervention_named(
    policy: Policy,
    maze: Maze,
    condition: str,
    site: str | None,
    coefficient: float,
    seed: int,
    given: Given = NOTHING_GIVEN,
) -> Intervention:
    """Return the intervention of a condition on one level; references change nothing.

    Args:
        policy: whose activations the vectors are differences of.
        maze: the level, with its cheese where a vector is taken of it.
        condition: its name.
        site: name of the site; None: that of the vector given, or of the edits.
        coefficient: multiple of the vector; of ``edit``, factor of the coefficients typed.
        seed: of what is drawn at random.
        given: a vector in place of the level's own, and the edits of ``edit``.

    Raises:
        InputError: for an unknown condition, a missing site, a level without cheese, or a vector given that the
            condition does not edit with.
    """
    chosen = find_condition(condition)
    check_random_seed(seed)
    if chosen.reference:
        return Intervention()
    own = given.vector if chosen.takes_vector else None
    if given.vector is not None and own is None and not chosen.typed:
        takers = ", ".join(name for name in CONDITIONS if BY_NAME[name].takes_vector)
        raise InputError(f"condition {condition!r} takes vectors of its own; --vector goes with {takers}")
    name = "" if site is None or not chosen.at_one_site else find_site(policy.net, site).name
    if own is not None and name not in ("", own.site):
        raise InputError(f"--site {name}: the vector is of {own.site}; leave out --site")
    if chosen.at_one_site and not chosen.typed and own is None and site is None:
        raise InputError(f"condition {condition!r} needs a site: add --site (see `mazesteer sites`)")
    if maze.cheese is None and own is None and not chosen.typed:
        raise InputError(
            f"condition {condition!r}: {maze.label} has no cheese to take a vector of; choose another level"
        )
    key = Key(maze.level or 0, condition, name if own is None else own.site, coefficient)
    return LevelConditions.of(policy, maze, VectorSource("start"), seed, [key], given).intervention(key)
