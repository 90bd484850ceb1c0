"""The curves over depth behind the probes' readings of the boundary, for one agent or the mean of several.

Each curve is a ratio of sums over mazes. The sums of each maze are kept in ``probes.json`` as ``tallies``, so that
mazes and agents can be drawn anew without a network.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from steering.boundary import draw_agents
from steering.decoding import ProbeCurves, Statistic, cell_lost, next_move_appears, pooled
from steering.representation import position_dependence

# By curve, what is summed over what, per site and maze ``float[s, m]``, or ``float[m]`` where it is the same at all
# sites. ``cheese``, ``corner``, ``policy``: next moves told rightly over frames. ``cell``: squared distance of the
# probe's guess over that of the mean cell (1 - R2). Each also with " shuffled" labels. ``interaction``: as by
# :func:`steering.representation.interaction_tally`.
Tallies = Mapping[str, tuple[np.ndarray, np.ndarray]]


def decoding_tallies(names: Sequence[str], scores: Mapping[str, Any]) -> Tallies:
    """Of the sites ``names``; ``scores`` as for :func:`steering.decoding.summarize_probes`."""
    maze = scores["maze"]
    frames = np.bincount(maze).astype(float)

    def told(move: str, key: str) -> np.ndarray:
        return np.array([np.sum(scores["sites"][name]["moves"][move][key], axis=1) for name in names])

    def squares(key: str) -> np.ndarray:
        return np.array([np.bincount(maze, np.square(scores["sites"][name]["cell"][key])) for name in names])

    found: dict[str, tuple[np.ndarray, np.ndarray]] = {}
    for move in scores["moves"]:
        found |= {move: (told(move, "correct"), frames), f"{move} shuffled": (told(move, "control"), frames)}
    mean = squares("mean")[0]  # of the labels alone
    return {**found, "cell": (squares("distance"), mean), "cell shuffled": (squares("control"), mean)}


def probe_curves(tallies: Tallies, samples: np.ndarray) -> ProbeCurves:
    """The curves of all mazes and of each of ``samples`` (``int[draws, m]``, from :func:`steering.stats.resamples`)."""
    drawn = np.vstack([np.arange(samples.shape[1]), samples])
    return {
        name: np.array([pooled(*pair, drawn) for pair in zip(top, np.broadcast_to(bottom, top.shape), strict=True)])
        for name, (top, bottom) in tallies.items()
    }


def boundaries(facts: Sequence[Mapping[str, Any]], curves: ProbeCurves) -> dict[str, Any]:
    """``decoding_boundary``, ``representational_boundary`` of ``probes.json``; ``facts``: of the sites, input first."""

    def gaps(move: str) -> list[tuple[Statistic, Statistic]]:
        accuracy, chance = curves[move], curves[f"{move} shuffled"]
        return list(zip(accuracy - accuracy[0], accuracy - chance, strict=True))

    moves = [name for name in curves if f"{name} shuffled" in curves and name != "cell"]
    r2, control = 1.0 - curves["cell"], 1.0 - curves["cell shuffled"]
    return {
        "decoding_boundary": {
            "next_move": {move: next_move_appears(facts, gaps(move)) for move in moves},
            "cell": cell_lost(facts, list(zip(r2, r2 - control, strict=True))),
        },
        "representational_boundary": position_dependence(facts, curves["interaction"]),
    }


def mean_curves(agents: Sequence[ProbeCurves], rng: np.random.Generator) -> ProbeCurves:
    """The agents' mean curves: of all mazes, then with agents drawn anew in every draw, mazes the same for all of them.

    The agents were asked at the same sites about the same mazes with the same resamples, as
    :func:`steering.boundary.over_agents` wants them. Raises :class:`envs.errors.InputError` for fewer than two.
    """
    draws = next(iter(agents[0].values())).shape[1] - 1
    chosen, rows = draw_agents(len(agents), draws, rng, same_mazes=True)
    found = {}
    for name in agents[0]:
        # [agents, s, 1 + draws]; no state inside the receptive field is no interaction there
        each = np.nan_to_num(np.stack([agent[name] for agent in agents]))
        drawn = each[chosen, :, 1 + rows].mean(axis=1)  # [draws, s]
        found[name] = np.concatenate([each[:, :, :1].mean(axis=0), drawn.T], axis=1)
    return found


def cut(tallies: Tallies, sites: Sequence[int], mazes: Sequence[int]) -> Tallies:
    """The tallies at some of the sites and of some of the mazes, by index."""
    return {
        name: (top[np.ix_(sites, mazes)], bottom[mazes] if bottom.ndim == 1 else bottom[np.ix_(sites, mazes)])
        for name, (top, bottom) in tallies.items()
    }


def tallies_to_json(tallies: Tallies) -> dict[str, list[Any]]:
    """Plain data for ``probes.json``."""
    return {name: [top.tolist(), bottom.tolist()] for name, (top, bottom) in tallies.items()}


def tallies_from_json(stored: Mapping[str, Sequence[Any]]) -> Tallies:
    """The reverse of :func:`tallies_to_json`, exactly."""
    return {name: (np.array(top, dtype=float), np.array(bottom, dtype=float)) for name, (top, bottom) in stored.items()}
