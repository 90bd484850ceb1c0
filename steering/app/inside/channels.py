"""The channels of a site by their effect: each ablated alone, and how far that takes the moves, on average."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from envs.chain import total_variation
from steering.app.inside.gradual import Pass, gradual, shuffled
from steering.app.session.context import Context
from steering.app.session.frames import world_of
from steering.app.session.updates import Update, floats, integers
from steering.interventions.sites import Site

ROWS = 256  # states times channels in one step, at a site that is no map
STATES = 8  # most states in one pass


@dataclass(frozen=True)
class AblateEach:
    """Set one channel to zero in each row of a batch, each row its own."""

    channels: np.ndarray
    """Index of the site's first axis for each row, ``int[n]``."""

    def __call__(self, activation: Tensor) -> Tensor:
        """Edit activations: ``[n, *site] -> [n, *site]``."""
        edited = activation.clone()
        rows = torch.arange(len(edited), device=edited.device)
        edited[rows, torch.from_numpy(self.channels).to(edited.device)] = 0.0
        return edited


def channel_updates(context: Context) -> Iterator[Update]:
    """Yield the effects of the site's channels, the largest first, ever better known, if they are asked for.

    The effect is the mean total variation over all states off the cheese between the moves left alone and those with
    the channel at zero: ``tv_clean`` of the edit ``ablate,channels=K``.
    """
    if "channels" in context.asked.asked:
        yield from gradual(context, ("channels", world_of(context.maze), context.site.name), _steps)


def _steps(context: Context) -> Iterator[Update]:
    site, count = context.site.name, context.site.shape[0]
    states, clean = shuffled(context), context.clean.probabilities
    total, done = np.zeros(count), np.zeros(count, dtype=int)
    most = rows_of(context.site)
    many = min(max(most // count, 1), STATES)
    for first in range(0, len(states), many):
        some = states[first : first + many]
        run = Pass(context, some)
        pairs = np.arange(len(some) * count)
        for part in np.array_split(pairs, -(-len(pairs) // most)):
            rows, which = np.divmod(part, count)
            apart = total_variation(run.moves(site, AblateEach(which), rows), clean[some[rows]])
            np.add.at(total, which, apart)
            np.add.at(done, which, 1)
            effect = total / np.maximum(done, 1)
            order = np.argsort(-effect, kind="stable")
            facts = {"site": site, "share": float(done.sum() / (len(states) * count))}
            yield Update("channels", facts, {"channel": integers(order), "effect": floats(effect[order])})


def rows_of(site: Site) -> int:
    """Return how many states times channels make a step: fewer where more of the network is to be run again."""
    return ROWS if len(site.shape) != 3 else int(np.clip(512 // site.shape[1], 16, 64))
