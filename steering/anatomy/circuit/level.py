"""One level, its policy edited in some channels of a site: what the cheese still changes in the states drawn from it.

The channels of a site are its first axis: feature maps, or the units of a layer without any.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from agents.networks.policy import Policy, move_probabilities, to_input
from envs.chain import total_variation
from envs.errors import InputError
from envs.maze import Maze
from steering.anatomy.circuit.states import DrawnStates
from steering.interventions.hooks import Edit, HookedPolicy
from steering.interventions.partial import CleanValues, PartialNetwork
from steering.interventions.sites import Site
from steering.interventions.vectors import cheese_vectors


class CircuitLevel:
    """A level seen from the states drawn, with its cheese and without.

    Args:
        policy: its network is read and left as it was.
        maze: the level, with its cheese.
        drawn: states that stand for it.
        sites: where vectors are taken, mouse at its start.
    """

    def __init__(self, policy: Policy, maze: Maze, drawn: DrawnStates, sites: Sequence[Site]) -> None:
        states = [maze.states[i] for i in drawn.indices]
        self.weights = np.array(drawn.weights)
        self._hooked = HookedPolicy(policy.net)
        try:
            self._partial: PartialNetwork | None = PartialNetwork(policy.net)
        except InputError:  # it cannot be traced: run whole
            self._partial = None
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
        if not isinstance(self._shown, Tensor) and self._partial is not None:
            found._shown = self._partial.states(self._shown, site.name, torch.arange(len(self.weights)))
        found._blank = found._shown
        return found

    def _prepared(self, frames: np.ndarray) -> CleanValues | Tensor:
        x = to_input(frames)
        return x if self._partial is None else self._partial.clean(x)

    def _run(self, prepared: CleanValues | Tensor, edits: dict[str, Edit]) -> np.ndarray:
        if isinstance(prepared, Tensor):
            logits = self._hooked.run(prepared, edits)[0]
        else:
            assert self._partial is not None
            logits = self._partial.rerun(prepared, edits)[0]
        return move_probabilities(logits).numpy()

    def _mean(self, first: np.ndarray, second: np.ndarray) -> float:
        """Return the weighted mean of the total variation between two fields of move probabilities."""
        return float(self.weights @ total_variation(first, second))

    def left_alone(self) -> float:
        """Return the distance between the policies with and without the cheese, mean over the maze's states."""
        return self._mean(self._run(self._shown, {}), self.without)

    def subtracted(self, site: Site, channels: np.ndarray) -> float:
        """Return what is left of that distance when the vector is subtracted in these channels: ``bool[c]``."""
        part = torch.where(_over(site, channels), self.vectors[site.name], 0.0)
        return self._mean(self._run(self._shown, {site.name: lambda seen: seen - part.to(seen)}), self.without)

    def removed(self, site: Site, channels: np.ndarray, means: np.ndarray) -> tuple[float, float]:
        """Return what is left of that distance when channels are set to constants, and the damage that this does.

        Args:
            site: where.
            channels: which are set, ``bool[c]``.
            means: what each is set to in all its places, ``float[c]``.

        Returns:
            Distance between the policies with and without the cheese, both edited; and between the policies without
            the cheese, edited and left alone.
        """
        edit = {site.name: removal(site, channels, means)}
        shown, blank = self._run(self._shown, edit), self._run(self._blank, edit)
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


def removal(site: Site, channels: np.ndarray, means: np.ndarray) -> Edit:
    """Return the edit that sets channels ``bool[c]`` to constants ``float[c]`` in all their places."""
    chosen, values = _over(site, channels), _over(site, means)

    def edit(seen: Tensor) -> Tensor:
        return torch.where(chosen.to(seen.device), values.to(seen), seen)

    return edit


def _over(site: Site, values: np.ndarray) -> Tensor:
    """Return numbers of channels ``[c]`` in a shape that spreads over the site's places."""
    return torch.from_numpy(np.ascontiguousarray(values)).reshape(-1, *(1,) * (len(site.shape) - 1))
