"""Activations at a site as a map over the picture, the mouse at its start: clean, steered, or the difference."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from agents.networks.policy import to_input
from envs.errors import InputError
from steering.app.session.context import Context
from steering.app.session.updates import Update, floats, problem
from steering.films.heat_maps import Alignment, alignment, heat_map
from steering.interventions.hooks import HookedPolicy
from steering.statistics.formatting import short_site_name


def heat_updates(context: Context) -> Iterator[Update]:
    """Yield the heat map that is asked for, if one is; a ``problem`` where the site has no such map.

    Its limits are those of the clean and the steered map together, so that one can be told from the other; of a
    difference they are as far from zero on both sides.
    """
    asked = context.asked.heat
    if asked.kind in ("none", "visits"):
        return
    channel = asked.channel if asked.kind == "channel" else None
    try:
        units = context.site.units
        where = alignment(context.policy.net, context.site.name) if units is None else Alignment(*units)
        maps = _maps(context, channel)
    except InputError as error:
        yield problem(error, "heat")
        return
    found = maps[asked.run]
    shown = [found] if asked.run == "difference" else [maps["clean"], maps["steered"]]
    signed = asked.run == "difference" and channel is not None
    name = "norm" if channel is None else f"channel {channel}"
    facts = {
        "site": context.site.name,
        "kind": asked.kind,
        "channel": asked.channel,
        "run": asked.run,
        "limits": limits(np.stack(shown), signed=signed),
        "label": f"{name} at {short_site_name(context.site.name)}, {asked.run}, mouse at its start",
    }
    yield Update("heat", facts, {"map": floats(found), "extent": floats(extent(where, found.shape))})


def _maps(context: Context, channel: int | None) -> dict[str, np.ndarray]:
    """Return the maps ``float64[h, w]`` of the clean run, the steered, and of the difference of the activations."""
    maze, name = context.maze, context.site.name
    start = maze.state_index(maze.mouse, maze.facing)
    x = to_input(context.fields.frames.of(maze, np.array([start])))
    hooked, edits = HookedPolicy(context.policy.net), context.edits.by_site([maze.states[start]])
    clean, steered = (hooked.run(x, done, [name])[2][name][0] for done in ({}, edits))
    parts = {"clean": clean, "steered": steered, "difference": steered - clean}
    return {run: heat_map(part, channel) for run, part in parts.items()}


def limits(values: np.ndarray, *, signed: bool) -> list[float]:
    """Return the ends of a scale for some values: from zero, or as far on both sides where some are below it."""
    low, high = float(values.min()), float(values.max())
    size = max(-low, high) or 1.0
    return [-size, size] if signed or low < 0 else [0.0, size]


def extent(where: Alignment, shape: tuple[int, ...]) -> np.ndarray:
    """Return left, top, right and bottom of a map ``[h, w]`` in pixels of the picture, whose edges are 0 and 64."""
    (height, width), first = shape, where.start + 0.5 - where.step / 2
    return np.array([first, first, first + width * where.step, first + height * where.step])
