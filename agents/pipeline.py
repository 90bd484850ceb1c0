"""From nothing to a policy with its card: imitation, on-policy imitation, PPO, evaluation.

A run lives in one directory: ``train.json`` (its options), the state files of its stages,
``snapshots/`` and ``history.jsonl`` (:mod:`agents.history`), TensorBoard events, and at the end
``policy.safetensors`` with its card ``policy.json`` and learning curves ``policy.png``.
"""

from __future__ import annotations

import dataclasses
import json
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import torch

from agents.checkpoints import load_policy, published_net, save_checkpoint, write_atomic
from agents.dagger import DaggerConfig, train_dagger
from agents.evaluation import LEVELS, policy_figures
from agents.hardware import SAVE_EVERY, bf16_pays, check_device, hardware_class
from agents.history import WATCH_LEVELS, Watcher, learning_curves, read_history
from agents.imitation import ImitationConfig, train_imitation
from agents.impala import ImpalaPolicyNet
from agents.policy import MazePolicy
from agents.train import PPOConfig, train_ppo
from envs.errors import InputError, nearest
from envs.levels import EVAL_LEVELS, TRAIN_LEVELS

CARD = "mazesteer-card-1"
SPEC = "train.json"
GOOD = 0.97  # probability of success below which a card speaks of a weakness
# A policy that is already good: update it on what it does now, in small steps on large batches, and do not pay it
# for dithering. Nearly every episode succeeds, so most of what an advantage says is noise: at 2.5 times the rate, on
# batches of half the size, 315,000 steps cost .006 of P(cheese); at the published rates 130,000 cost .01.
GENTLE: dict[str, Any] = {
    "n_steps": 128,
    "epochs": 1,
    "learning_rate": 2e-5,
    "entropy": 0.0,
    "critic_warmup_steps": 16_384,
}


OPTIMIZERS = ("adam", "muon")
WIDEST = 32  # beyond, the weights are more than a checkpoint may have
BLOCK = 32  # with Muon: batches drawn from the same levels
RATES = (0.02, 0.01)  # of Muon: imitation, each round of walks


@dataclass(frozen=True)
class TrainSpec:
    """What a training run is: ``samples`` of imitation, ``dagger_samples`` on policy, ``ppo_steps``.

    The defaults are those of the shipped ``region5``. ``dagger_samples`` has a number for each round: a round
    begins with the full learning rate again and meets other levels. Without imitation of either kind PPO
    starts from scratch. ``region`` None means cheese anywhere; ``optimizer`` is that of imitation. ``bf16``
    belongs to the run, since it changes the numbers.
    """

    region: int | None = 5
    scale: int = 1
    seed: int = 0
    samples: int = 3_000_000
    dagger_samples: tuple[int, ...] = (5_000_000, 3_000_000)
    ppo_steps: int = 1_000_000
    optimizer: str = "adam"
    device: str = "cpu"
    bf16: bool = False

    def __post_init__(self) -> None:
        object.__setattr__(self, "dagger_samples", tuple(n for n in self.dagger_samples if n))
        counts = (self.samples, *self.dagger_samples, self.ppo_steps)
        if min(counts) < 0 or sum(counts) == 0:
            raise InputError("train: give imitation samples, PPO steps, or both; none may be negative")
        if not 1 <= self.scale <= WIDEST:
            raise InputError(f"train: scale is {self.scale}, must be 1 to {WIDEST} (published: 4)")
        if self.optimizer not in OPTIMIZERS:
            raise InputError(f"optimizer {self.optimizer!r}: {nearest(self.optimizer, OPTIMIZERS)}")

    @property
    def total(self) -> int:
        """Samples and steps of all stages."""
        return self.samples + sum(self.dagger_samples) + self.ppo_steps

    @property
    def command(self) -> str:
        """What to type to repeat the run."""
        words = ["mazesteer train", f"--region {self.region or 0}", f"--scale {self.scale}", f"--seed {self.seed}"]
        words += [f"--samples {self.samples}", f"--dagger-samples {','.join(map(str, self.dagger_samples)) or 0}"]
        words += [f"--ppo-steps {self.ppo_steps}"]
        for name in ("optimizer", "device"):
            if getattr(self, name) != getattr(TrainSpec, name):
                words.append(f"--{name} {getattr(self, name)}")
        return " ".join([*words, "--out runs/train"])

    def stages(self) -> dict[str, ImitationConfig | DaggerConfig | PPOConfig | None]:
        """Options of each stage by name (None: left out). On a GPU imitation gets larger batches."""
        shared: dict[str, Any] = {"scale": self.scale, "region": self.region, "seed": self.seed, "bf16": self.bf16}
        wide = torch.device(self.device).type == "cuda"
        muon = self.optimizer == "muon"
        first = ImitationConfig(samples=self.samples, **shared) if self.samples else None
        rounds = [
            DaggerConfig(samples=n, **{**shared, "seed": self.seed + 10_000 * k})
            for k, n in enumerate(self.dagger_samples)
        ]
        if muon and first:  # the walks go on with what is left of the rate
            first = replace(first, matrix_rate=RATES[0], block=BLOCK, decay_to=0.5 if rounds else 0.0)
        if muon:
            rounds = [replace(r, matrix_rate=RATES[1], block=BLOCK) for r in rounds]
        if wide and first:  # rates grow with the root of the batch
            first = replace(first, batch_size=2_048, levels_per_batch=96, block=4, learning_rate=2e-3,
                            warmup_samples=200_000)  # fmt: skip
        if wide:
            large: dict[str, Any] = {"n_envs": 512, "random_states": 512, "levels_per_batch": 24, "block": 4}
            rounds = [replace(r, learning_rate=8e-4, warmup_samples=100_000, **large) for r in rounds]
        shape = GENTLE if first or rounds else {}
        third = PPOConfig(total_steps=self.ppo_steps, **shape, **shared) if self.ppo_steps else None
        walks = {"dagger" if k == 0 else f"dagger_{k + 1}": config for k, config in enumerate(rounds)}
        return {"imitation": first, **walks, "ppo": third}


def start_run(out: Path, spec: TrainSpec) -> TrainSpec:
    """Begin a run in ``out``: writes ``train.json``. Refuses a directory that holds a run."""
    check_device(spec.device)
    if out.exists() and not out.is_dir():
        raise InputError(f"{out} is a file; choose another --out")
    if (out / SPEC).exists():
        raise InputError(f"{out} holds a training run; add --resume to go on with it, or choose another --out")
    spec = replace(spec, bf16=bf16_pays(spec.device))
    spec.stages()  # complain about options before anything is written
    write_atomic(out / SPEC, (json.dumps(asdict(spec), indent=2) + "\n").encode())
    return spec


def read_run(out: Path) -> TrainSpec:
    """The options of the run in ``out``; raises :class:`InputError` if there is none."""
    try:
        given = json.loads((out / SPEC).read_text())
        walks = given["dagger_samples"]
        if not (isinstance(walks, list) and all(type(n) is int for n in walks)):
            raise ValueError
        given["dagger_samples"] = tuple(walks)
        spec = TrainSpec(**given)
        kinds = {field.name: type(getattr(TrainSpec(), field.name)) for field in dataclasses.fields(TrainSpec)}
        if any(type(v) is not kinds[k] and not (k == "region" and v is None) for k, v in given.items()):
            raise ValueError
    except FileNotFoundError:
        raise InputError(f"{out}: no training run there to resume ({SPEC} is missing)") from None
    except (OSError, ValueError, TypeError, KeyError):
        raise InputError(f"{out / SPEC}: damaged; begin a new run in another --out") from None
    check_device(spec.device)
    return spec


def train_pipeline(
    out: Path,
    spec: TrainSpec,
    *,
    progress: Callable[[int, int], None] | None = None,
    evaluating: Callable[[int, int], None] | None = None,
    save_every_seconds: float = SAVE_EVERY,
    card_levels: tuple[int, int] = LEVELS,
    watch_levels: tuple[int, int] = WATCH_LEVELS,
) -> Path:
    """Do what is left of the run ``spec`` in ``out`` and return the final weights' path.

    The history is of ``watch_levels``, the card's figures of ``card_levels``; ``evaluating`` is the progress of these.
    """

    def report(before: int) -> Callable[..., None]:
        return lambda done, *_: progress(before + done, spec.total) if progress is not None else None

    stages = spec.stages()
    # Data for a GPU are made by processes; beside a network on the processor a thread is enough.
    workers = max((os.cpu_count() or 1) - 2, 1) if torch.device(spec.device).type == "cuda" else 0
    net: ImpalaPolicyNet | None = None
    earlier: Path | None = None
    before = 0
    for name, stage in stages.items():
        shared: dict[str, Any] = {
            "progress": report(before),
            "watcher": Watcher(out, name, before, spec.region, levels=watch_levels),
            "device": spec.device,
            "save_every_seconds": save_every_seconds,
        }
        if isinstance(stage, ImitationConfig):
            net = train_imitation(stage, out, workers=workers, **shared)
        elif isinstance(stage, DaggerConfig):
            net = net or ImpalaPolicyNet(spec.scale, generator=torch.Generator().manual_seed(spec.seed))
            net = train_dagger(stage, out, net, name=name, workers=workers, **shared)
        elif isinstance(stage, PPOConfig):
            if net is not None:
                earlier = out / "before-ppo.safetensors"
                save_checkpoint(net, earlier)
            net = train_ppo(stage, out / "ppo", net, **shared)
            continue
        before += stage.update.total if stage is not None else 0
    assert net is not None
    final = out / "policy.safetensors"
    save_checkpoint(net, final)
    history = read_history(out)
    learning_curves(history, out / "policy.png", f"{out.name}: exact figures on held-out levels")
    card = make_card(
        final,
        stages,
        region=spec.region,
        command=spec.command,
        history=history,
        before_ppo=earlier,
        hardware=hardware_class(spec.device),
        levels=card_levels,
        progress=evaluating,
    )
    write_card(card, out / "policy.json")
    return final


def make_card(
    weights: Path,
    stages: Mapping[str, ImitationConfig | DaggerConfig | PPOConfig | None],
    *,
    region: int | None,
    command: str = "",
    notes: str = "",
    levels: tuple[int, int] = LEVELS,
    history: Sequence[Mapping[str, Any]] = (),
    before_ppo: Path | None = None,
    hardware: str = "",
    progress: Callable[[int, int], None] | None = None,
) -> dict[str, Any]:
    """The model card of a weights file: how it was made, what it can do (recomputed here).

    ``before_ppo`` are the weights PPO began with: the card then says what it changed.
    """
    policy = load_policy(weights)
    scale = published_net(policy).scale
    figures = policy_figures(policy, region, levels=levels, progress=progress)
    where = f"top-right {region}x{region}" if region is not None else "anywhere"
    card: dict[str, Any] = {
        "format": CARD,
        "summary": (
            f"scale {scale}, cheese in training: {where}; "
            f"P(cheese) {figures['p_cheese_in_distribution']:.3f} in distribution, "
            f"{figures['p_cheese_anywhere']:.3f} anywhere"
        ),
        "sha256": policy.sha256,
        "scale": scale,
        "training": {
            "levels": list(TRAIN_LEVELS),
            "evaluation_levels_kept_apart": list(EVAL_LEVELS),
            "cheese": where,
            "mode": "hard",
            **{name: asdict(config) if config is not None else None for name, config in stages.items()},
        },
        "figures": figures,
        "weaknesses": weaknesses(figures),
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
        card["ppo_changed"] = ppo_change(load_policy(before_ppo), figures, progress)
    return card


def weaknesses(figures: Mapping[str, Any]) -> list[str]:
    """What the figures of a policy say against it, in words."""
    number = figures["levels_by_maze_size"]
    found = [
        f"fails {1 - p:.1%} of {dim}x{dim} mazes with the cheese as in training ({number[dim]} levels)"
        for dim, p in figures["p_cheese_by_maze_size"].items()
        if p < GOOD
    ]
    if figures["region"] is not None and figures["p_cheese_anywhere"] < GOOD:
        found.append(f"with the cheese anywhere it reaches it with probability {figures['p_cheese_anywhere']:.3f} only")
    return found


def ppo_change(
    earlier: MazePolicy, figures: Mapping[str, Any], progress: Callable[[int, int], None] | None = None
) -> dict[str, dict[str, float]]:
    """The main figures before and after PPO, on the levels of ``figures``."""
    levels: tuple[int, int] = tuple(figures["levels"])
    same: dict[str, Any] = {name: figures[name] for name in ("horizon", "seed")}
    then = policy_figures(earlier, figures["region"], levels=levels, progress=progress, **same)
    names = [
        name for name, value in figures.items() if name.startswith(("p_", "expected")) and isinstance(value, float)
    ]
    return {name: {"before": then[name], "after": figures[name]} for name in names}


def write_card(card: Mapping[str, Any], path: Path) -> None:
    """Write a card as JSON, whole or not at all."""
    write_atomic(path, (json.dumps(card, indent=2) + "\n").encode())
