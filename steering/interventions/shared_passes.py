"""Passes that several levels share: which states of which level are in each, and every level's edits on its own."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import torch
from torch import Tensor

from steering.interventions.hooks import Edit, Edits


def passes(states: Sequence[int], most: int) -> Iterator[list[tuple[int, slice]]]:
    """Yield passes of ``most`` states, the last of what is left: parts of levels as (number of the level, its states).

    Args:
        states: the number of states of each level.
        most: the number in one pass, 1 or more.

    Example:
        >>> list(passes([3, 2], 4))
        [[(0, slice(0, 3, None)), (1, slice(0, 1, None))], [(1, slice(1, 2, None))]]
    """
    parts: list[tuple[int, slice]] = []
    free = most
    for level, count in enumerate(states):
        done = 0
        while done < count:
            taken = min(count - done, free)
            parts.append((level, slice(done, done + taken)))
            done, free = done + taken, free - taken
            if not free:
                yield parts
                parts, free = [], most
    if parts:
        yield parts


def side_by_side(edits: Sequence[Edits], rows: Sequence[int]) -> Edits:
    """Return the edits of a batch that is put together of several, by site: each part's on its own rows.

    Args:
        edits: of each part, by site; at a site that only others edit, a part is left as it is.
        rows: the number of rows of each part, in the batch's order.
    """
    if len(edits) == 1:
        return edits[0]

    def at(site: str) -> Edit:
        def apply(activation: Tensor) -> Tensor:
            parts = zip(edits, activation.split(list(rows)), strict=True)
            return torch.cat([own[site](part) if site in own else part for own, part in parts])

        return apply

    return {site: at(site) for site in dict.fromkeys(site for own in edits for site in own)}
