"""One level, its policy edited in some channels of a site: what the cheese still changes in the states drawn from it.

The channels of a site are its first axis: feature maps, or the units of a layer without any.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from math import prod

import numpy as np
import torch
from torch import Tensor

from agents.networks.impala import OBS_SHAPE
from agents.networks.policy import Policy, move_probabilities, to_input
from envs.chain import total_variation
from envs.maze import Maze
from steering.anatomy.circuit.states import DrawnStates
from steering.interventions.hooks import Edit, HookedPolicy
from steering.interventions.partial import CleanValues, PartialNetwork
from steering.interventions.sites import Site
from steering.interventions.vectors import cheese_vectors

VALUES = 2**19  # at the edited site in one pass: more do not stay in the processor's cache
EditOf = Callable[[Tensor], Edit]
"""What makes an edit of the channels that it is made in, state by state: ``bool[n, c, ...]``."""


class CircuitLevel:
    """A level seen from the states drawn, with its cheese and without.

    Args:
        policy: its network is read and left as it was.
        maze: the level, with its cheese.
        drawn: states that stand for it.
        sites: where vectors are taken, mouse at its start.
        network: the policy's, traced already; None: it cannot be, and is run whole.
    """

    def __init__(
        self, policy: Policy, maze: Maze, drawn: DrawnStates, sites: Sequence[Site], network: PartialNetwork | None
    ) -> None:
        states = [maze.states[i] for i in drawn.indices]
        self.weights = np.array(drawn.weights)
        self._hooked = HookedPolicy(policy.net)
        self._partial = network
        self._shown, self._blank = (
            self._prepared(world.observations(states)) for world in (maze, maze.without_cheese())
        )
        vectors = cheese_vectors(policy, maze, [site.name for site in sites])
        self.vectors = {name: vector.tensor for name, vector in vectors.items()}
        """The level's cheese vectors, by name of the site."""
        self.without = self._run(self._blank, {})
        """Move probabilities without the cheese, ``float64[n, 5]``."""

    def narrowed(self, site: Site) -> CircuitLevel:
        """Return the level with only what :meth:`subtracted` at one site needs of it in memory."""
        found = copy.copy(self)
        found.vectors = {site.name: self.vectors[site.name]}
        found._shown = found._blank = self._rows(self._shown, site, torch.arange(len(self.weights)))
        return found

    def _prepared(self, frames: np.ndarray) -> CleanValues | Tensor:
        x = to_input(frames)
        return x if self._partial is None else self._partial.clean(x)

    def _rows(self, prepared: CleanValues | Tensor, site: Site, which: Tensor) -> CleanValues | Tensor:
        """Return what a pass that is edited at a site reads of some states, each as often as it is asked for."""
        if isinstance(prepared, Tensor):
            return prepared[which]
        assert self._partial is not None
        return self._partial.states(prepared, site.name, which)

    def _run(self, prepared: CleanValues | Tensor, edits: dict[str, Edit]) -> np.ndarray:
        if isinstance(prepared, Tensor):
            logits = self._hooked.run(prepared, edits)[0]
        else:
            assert self._partial is not None
            logits = self._partial.rerun(prepared, edits)[0]
        return move_probabilities(logits).numpy()

    def _each(self, prepared: CleanValues | Tensor, site: Site, sets: np.ndarray, edit: EditOf) -> np.ndarray:
        """Return move probabilities with the edit made in each set of channels: ``float64[m, n, 5]``."""
        states, whole = len(self.weights), prod(OBS_SHAPE)
        values = max(site.size, 0 if self._partial is not None else whole)
        together = max(VALUES // (states * values), 1)
        found = []
        for k in range(0, len(sets), together):
            some = sets[k : k + together]
            rows = self._rows(prepared, site, torch.arange(states).repeat(len(some)))
            chosen = torch.from_numpy(some.repeat(states, axis=0)).reshape(-1, *site_over(site))
            found.append(self._run(rows, {site.name: edit(chosen)}).reshape(len(some), states, -1))
        return np.concatenate(found)

    def _mean(self, first: np.ndarray, second: np.ndarray) -> np.ndarray:
        """Return the weighted mean of the total variation between fields of move probabilities ``[..., n, 5]``."""
        return np.asarray(total_variation(first, second) @ self.weights)

    def left_alone(self) -> float:
        """Return the distance between the policies with and without the cheese, mean over the maze's states."""
        return float(self._mean(self._run(self._shown, {}), self.without))

    def subtracted(self, site: Site, sets: np.ndarray) -> np.ndarray:
        """Return what is left of that distance when the vector is subtracted in each set of channels.

        Args:
            site: where.
            sets: channels of each, ``bool[m, c]``.

        Returns:
            ``float64[m]``.
        """
        vector = self.vectors[site.name]

        def edit(chosen: Tensor) -> Edit:
            return lambda seen: seen.addcmul(chosen.to(seen), vector.to(seen), value=-1.0)

        return self._mean(self._each(self._shown, site, sets, edit), self.without)

    def removed(self, site: Site, sets: np.ndarray, means: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return what is left of that distance when channels are set to constants, and the damage that this does.

        Args:
            site: where.
            sets: channels that are set, ``bool[m, c]``.
            means: what each channel is set to in all its places, ``float[c]``.

        Returns:
            Distance between the policies with and without the cheese, both edited; and between the policies without
            the cheese, edited and left alone: ``float64[m]`` each.
        """
        constants = torch.from_numpy(np.array(means)).reshape(*site_over(site))

        def edit(chosen: Tensor) -> Edit:
            return lambda seen: torch.where(chosen.to(seen.device), constants.to(seen), seen)

        shown, blank = (self._each(world, site, sets, edit) for world in (self._shown, self._blank))
        return self._mean(shown, blank), self._mean(blank, self.without)

    def means(self, site: Site) -> np.ndarray:
        """Return the activation of each channel without the cheese, mean over places and states: ``float64[c]``."""
        if isinstance(self._blank, Tensor):
            seen = self._hooked.run(self._blank, capture=[site.name])[2][site.name]
        else:
            assert self._partial is not None
            seen = self._partial.activation(self._blank, site.name)
        places = seen.cpu().double().reshape(*seen.shape[:2], -1).mean(2)
        return np.asarray(self.weights / self.weights.sum() @ places.numpy())


def site_over(site: Site) -> tuple[int, ...]:
    """Return the shape in which numbers of channels spread over the site's places."""
    return (site.shape[0], *(1,) * (len(site.shape) - 1))
