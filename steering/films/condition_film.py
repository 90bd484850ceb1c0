"""Films of interventions: recorded rollouts of any number of conditions, side by side."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from agents.networks.policy import Policy, batches, to_input
from envs.errors import InputError, nearest
from envs.maze import Maze
from envs.trajectory import Trajectory
from steering.experiments.conditions import find_condition
from steering.experiments.exact import CHUNK, LevelEvaluator
from steering.experiments.level_conditions import NOTHING_GIVEN, Given, intervention_named
from steering.experiments.sampled import rollouts
from steering.films.heat_maps import alignment, heat_map
from steering.interventions.edits import Intervention
from steering.interventions.hooks import HookedPolicy
from steering.interventions.sites import find_site
from steering.interventions.vectors import cheese_vector
from videos.scene import HeatOverlay

HEATS = ("none", "vector", "activation")


@dataclass(frozen=True)
class Cast:
    """The conditions of a film, at one site.

    Raises:
        InputError: for an unknown condition or heat map, none or a condition twice, or a heat map without a site.
    """

    conditions: tuple[str, ...] = ("clean", "subtract")
    """Names of conditions from left to right, each once."""
    site: str | None = None
    """Name of the site of the edit and of the heat map; null: no condition acts at one site."""
    coefficient: float = 1.0
    """Multiple of the vector."""
    seed: int = 0
    """Seed of the moves, common to all conditions, 0 or more."""
    horizon: int = 256
    """Most moves of an episode, 1 to 500."""
    heat: str = "none"
    """Heat map drawn: ``none``, the cheese ``vector`` of the site, or each picture's ``activation`` there."""
    channel: int | None = None
    """Channel of the heat map, from 0; null: the norm over channels."""
    given: Given = NOTHING_GIVEN
    """A vector in place of the level's own, and the edits of ``edit``."""

    def intervention(self, policy: Policy, maze: Maze, condition: str) -> Intervention:
        """Return the intervention of a condition of the film; raise :class:`InputError` where it cannot be made."""
        given = self.given if find_condition(condition).takes_vector else Given(edits=self.given.edits)
        return intervention_named(policy, maze, condition, self.site, self.coefficient, self.seed, given)

    def __post_init__(self) -> None:
        for condition in self.conditions:
            find_condition(condition)
        if not self.conditions or len(set(self.conditions)) < len(self.conditions):
            raise InputError(f"conditions {', '.join(self.conditions)!r}: give one or more, each once")
        if self.heat not in HEATS:
            raise InputError(f"unknown heat map {self.heat!r} of a film; {nearest(self.heat, HEATS)}")
        if self.heat != "none" and self.site is None:
            raise InputError("a heat map needs a site: add --site (see `mazesteer sites`)")


def roll(policy: Policy, maze: Maze, cast: Cast) -> list[Trajectory]:
    """Return one rollout a condition on one level, with common random numbers.

    Args:
        policy: its network is read by hooks and left as it was.
        maze: the level, with its cheese.
        cast: the conditions, their site and the seed.

    Returns:
        One record per condition, each also with the exact P(cheese) and P(top-right 5x5) for the result card.

    Raises:
        InputError: for a condition that needs a site and has none, or a site that the network lacks.
    """
    evaluator = LevelEvaluator(policy, maze, cast.horizon)
    tracks = []
    for condition in cast.conditions:
        edit = cast.intervention(policy, maze, condition)
        gone = condition == "no_cheese"
        world = maze.without_cheese() if gone else maze
        (track,) = rollouts(policy, world, edit, episodes=1, seed=cast.seed, horizon=cast.horizon, condition=condition)
        outcome = evaluator.no_cheese_outcome() if gone else evaluator.outcomes([edit])[0]
        exact = {"p_cheese": outcome.p_cheese, "p_region": outcome.p_region}
        tracks.append(dataclasses.replace(track, info={**track.info, "exact": exact}))
    return tracks


def heat_overlays(policy: Policy, maze: Maze, tracks: Sequence[Trajectory], cast: Cast) -> list[HeatOverlay | None]:
    """Return the heat map of each rollout of :func:`roll`, aligned to the picture; each on its own scale."""
    if cast.heat == "none":
        return [None] * len(tracks)
    assert cast.site is not None
    where = alignment(policy.net, cast.site)
    if cast.heat == "vector":
        vector = cast.given.vector or cheese_vector(policy, maze, cast.site)
        maps = heat_map(vector.tensor, cast.channel)[None]
        return [HeatOverlay(maps, where.share(0), where.share(1) - where.share(0))] * len(tracks)
    found: list[HeatOverlay | None] = []
    name = find_site(policy.net, cast.site).name
    for track, condition in zip(tracks, cast.conditions, strict=True):
        edit = cast.intervention(policy, maze, condition)
        world = maze.without_cheese() if condition == "no_cheese" else maze
        unique = list(dict.fromkeys(track.states))
        seen: list[np.ndarray] = []
        for frames in batches(world.observations(unique), CHUNK):
            edits = edit.by_site(unique[len(seen) : len(seen) + len(frames)])
            activations = HookedPolicy(policy.net).run(to_input(frames), edits, [name])[2][name]
            seen += [heat_map(each, cast.channel) for each in activations]
        maps = np.stack([seen[unique.index(state)] for state in track.states])
        found.append(HeatOverlay(maps, where.share(0), where.share(1) - where.share(0)))
    return found
