"""The model card of an agent: its making, its figures, the changes by PPO, its weaknesses."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from agents.checkpoints.cards import Figures
from agents.checkpoints.registry import published_net
from agents.checkpoints.zoo import load_policy
from agents.evaluation import DEAD_LEVELS, LEVELS, dead_branches, policy_figures
from agents.networks.policy import MazePolicy
from agents.training.dagger import DaggerConfig
from agents.training.exact import ExactConfig
from agents.training.imitation import ImitationConfig
from agents.training.ppo import PPOConfig
from envs.errors import InputError
from envs.files import write_atomic
from envs.stored.json_records import from_plain, read_json
from envs.stored.ranges import Digest
from envs.training.levels import EVAL_LEVELS, TRAIN_LEVELS

CARD = "mazesteer-card-1"
REFLEX = (
    "it was taught by a rule that plans nothing (the walls beside the mouse, and which way the cheese lies): a "
    "control, whose failures in mazes are what it was taught"
)
VALUELESS = (
    "its value head was never trained: values read from it are those of its first weights, or of the stage before"
)
GOOD = 0.97  # probability of success below which a card speaks of a weakness
Stage = ImitationConfig | DaggerConfig | ExactConfig | PPOConfig


def make_card(
    weights: Path,
    stages: Mapping[str, Stage | None],
    *,
    region: int | None,
    mode: str = "hard",
    command: str = "",
    notes: str = "",
    levels: tuple[int, int] = LEVELS,
    history: Sequence[Mapping[str, Any]] = (),
    before_ppo: Path | None = None,
    hardware: str = "",
    progress: Callable[[int, int], None] | None = None,
    keep: Path | None = None,
) -> dict[str, Any]:
    """Return the model card of a weights file; its figures are computed here.

    Args:
        weights: the checkpoint.
        stages: options of each stage of the training by name; None: left out.
        region: side, in cells, of the top-right square where the cheese lay in training; None: anywhere.
        mode: procgen's distribution mode of training and figures.
        command: the command that repeats the run; empty: not on the card.
        notes: text beside the figures.
        levels: level seeds ``low <= s < high`` of the figures.
        history: rows of the training history, the last with the ``seconds`` of the run.
        before_ppo: weights that PPO began with: the card then has the figures before and after; None: without PPO.
        hardware: kind of machine; empty: not on the card.
        progress: called with levels done and levels in all.
        keep: file for the figures found, so that an interrupted card goes on from there; None: not kept.
    """
    policy = load_policy(weights)
    scale = published_net(policy).scale
    figures = _kept_figures(policy, region, keep, levels=levels, mode=mode, progress=progress)
    where = f"top-right {region}x{region}" if region is not None else "anywhere"
    exact = any(isinstance(stage, ExactConfig) for stage in stages.values())
    reflex = any(getattr(stage, "teacher", "path") == "reflex" for stage in stages.values())
    few = "" if levels == LEVELS else f" ({levels[1] - levels[0]} levels)"
    card: dict[str, Any] = {
        "format": CARD,
        "summary": (
            f"scale {scale}, {'easy mode, ' if mode == 'easy' else ''}"
            f"{'taught a reflex that plans nothing, ' if reflex else ''}"
            f"{'exact gradients of the reward, ' if exact else ''}cheese in training: {where}; "
            f"P(cheese) {figures['p_cheese_in_distribution']:.3f} in distribution, "
            f"{figures['p_cheese_anywhere']:.3f} anywhere{few}"
        ),
        "sha256": policy.sha256,
        "scale": scale,
        "training": {
            "levels": list(TRAIN_LEVELS),
            "evaluation_levels_kept_apart": list(EVAL_LEVELS),
            "cheese": where,
            "mode": mode,
            **{name: asdict(config) if config is not None else None for name, config in stages.items()},
        },
        "figures": figures,
        "weaknesses": weaknesses(figures, dead_branches(policy, mode=mode), reflex=reflex) + [VALUELESS] * exact,
        "notes": notes,
    }
    if command:
        card["training"]["command"] = command
    if hardware:
        card["training"]["hardware"] = hardware
    if history:
        card["training"]["seconds"] = history[-1]["seconds"]
        card["history"] = [dict(row) for row in history]
    if before_ppo is not None:
        card["ppo_changed"] = ppo_change(load_policy(before_ppo), figures, progress, keep)
    return card


def _kept_figures(policy: MazePolicy, region: int | None, keep: Path | None, **options: Any) -> dict[str, Any]:
    """Return the figures of a policy, from the file ``keep`` if those of its weights are there; else put them there."""
    try:
        known: dict[str, Any] = read_json(keep) if keep is not None else {}
        from_plain(known, dict[Digest, Figures], keep)
    except InputError:  # they are found anew
        known = {}
    asked = {"region": region, "levels": list(options["levels"]), "mode": options["mode"]}
    found: dict[str, Any] | None = known.get(policy.sha256)
    if found is None or any(found.get(name) != value for name, value in asked.items()):
        found = policy_figures(policy, region, **options)
        if keep is not None:
            write_atomic(keep, json.dumps({**known, policy.sha256: found}).encode())
    return found


def weaknesses(figures: Mapping[str, Any], dead: Sequence[str] = (), *, reflex: bool = False) -> list[str]:
    """Return the weaknesses of an agent in words.

    Args:
        figures: of its card.
        dead: see :func:`agents.evaluation.dead_branches`.
        reflex: it was taught the rule that plans nothing.
    """
    number = figures["levels_by_maze_size"]
    found = [REFLEX] * reflex
    found += [
        f"fails {1 - p:.1%} of {dim}x{dim} mazes with the cheese as in training ({number[dim]} levels)"
        for dim, p in figures["p_cheese_by_maze_size"].items()
        if p < GOOD
    ]
    if figures["region"] is not None and figures["p_cheese_anywhere"] < GOOD:
        found.append(f"with the cheese anywhere it reaches it with probability {figures['p_cheese_anywhere']:.3f} only")
    found += [
        f"the branch of {name} is dead (no unit active in any state of levels {DEAD_LEVELS[0]} to "
        f"{DEAD_LEVELS[1] - 1}): nothing is computed between the sites before and behind it"
        for name in dead
    ]
    return found


def ppo_change(
    earlier: MazePolicy,
    figures: Mapping[str, Any],
    progress: Callable[[int, int], None] | None = None,
    keep: Path | None = None,
) -> dict[str, dict[str, float]]:
    """Return the main figures before and after PPO, on the levels of ``figures``."""
    levels: tuple[int, int] = tuple(figures["levels"])
    same: dict[str, Any] = {name: figures[name] for name in ("horizon", "seed", "mode")}
    then = _kept_figures(earlier, figures["region"], keep, levels=levels, progress=progress, **same)
    names = [
        name for name, value in figures.items() if name.startswith(("p_", "expected")) and isinstance(value, float)
    ]
    return {name: {"before": then[name], "after": figures[name]} for name in names}


def write_card(card: Mapping[str, Any], path: Path) -> None:
    """Write a card as JSON, whole or not at all."""
    write_atomic(path, (json.dumps(card, indent=2) + "\n").encode())
