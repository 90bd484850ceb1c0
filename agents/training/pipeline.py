"""From nothing to a policy with its card: imitation, on-policy imitation, exact gradients or PPO, evaluation.

A run lives in one directory: ``train.json`` (its options), the state files of its stages,
``snapshots/`` and ``history.jsonl`` (:mod:`agents.sessions.history`), TensorBoard events, and at the end
``policy.safetensors`` with its card ``policy.json`` and learning curves ``policy.png``.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Annotated, Any

import torch
from msgspec import Meta

from agents.checkpoints.files import save_checkpoint
from agents.evaluation import LEVELS
from agents.hardware import SAVE_EVERY, bf16_pays, check_device, hardware_class
from agents.networks.impala import ImpalaPolicyNet, check_scale
from agents.sessions.history import SNAPSHOTS, WATCH_LEVELS, Watcher, learning_curves, read_history
from agents.training.card import Stage, make_card, write_card
from agents.training.dagger import DaggerConfig, train_dagger
from agents.training.exact import ExactConfig, train_exact
from agents.training.imitation import ImitationConfig, train_imitation
from agents.training.ppo import PPOConfig, train_ppo
from envs.errors import RANGES, InputError, nearest
from envs.files import remove_stale, write_atomic
from envs.simulator.state_layout import WORLD_DIM
from envs.stored.json_records import read_record
from envs.stored.ranges import Count, Mode, Name, Positive, RandomSeed, Scale, Share
from envs.training.teachers import TEACHERS

SPEC = "train.json"
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
MOST_ROUNDS = 100  # of walks
BLOCK = 32  # with Muon: batches drawn from the same levels
RATES = (0.02, 0.01)  # of Muon: imitation, each round of walks


@dataclass(frozen=True)
class TrainSpec:
    """Options of a training run; the defaults are those of the shipped ``region5``, but for its ``patience`` of 0.

    Without imitation of either kind PPO, or the training by exact gradients, starts from scratch.

    Raises:
        InputError: nothing to train, a number out of range, an unknown optimizer, teacher or mode, a reward after a
            teacher that does not plan, PPO beside exact gradients, uniform starts without these, or another number of
            patiences than of rounds.
    """

    region: Positive | None = 5
    """Side, in cells, of the top-right square where the cheese lies; None: anywhere."""
    scale: Scale = 1
    """Scale of the network, 1/16 to 32 in steps of 1/16; 4 in the published agents."""
    seed: RandomSeed = 0
    """Seed of weights, levels and moves, 0 or more."""
    samples: Count = 3_000_000
    """Labelled states of imitation; 0: none."""
    dagger_samples: Annotated[tuple[Count, ...], Meta(max_length=MOST_ROUNDS)] = (5_000_000, 3_000_000)
    """Labelled states of each round of walks; a round begins with the full rate again and meets other levels."""
    ppo_steps: Count = 1_000_000
    """Environment steps of PPO, rounded up to whole rollouts; 0: no PPO."""
    optimizer: Name = "adam"
    """Optimizer of imitation: ``adam`` or ``muon``."""
    device: Name = "cpu"
    """Device of the training: ``cpu``, ``cuda``, ``cuda:1``, ..."""
    bf16: bool = False
    """Train in bfloat16; it changes the numbers, so it belongs to the run."""
    patience: Annotated[tuple[Count, ...], Meta(max_length=MOST_ROUNDS)] = (DaggerConfig.patience,)
    """Steps without a new cell after which a walk is given up (0: never), one number or one for each round."""
    teacher: Name = "path"
    """Whose moves imitation shows: ``path``, the shortest way, or ``reflex``, which plans nothing."""
    mode: Mode = "hard"
    """Procgen's distribution mode of the levels, ``hard`` or ``easy``."""
    exact_samples: Count = 0
    """States that exact gradients are found from, once for each time they go through the network; 0: none."""
    uniform_starts: Share = ExactConfig.uniform_starts
    """Share of the episodes, in exact gradients, that begin anywhere in the maze."""
    eval_levels: Positive = LEVELS[1]
    """Levels of the card's figures, from 0 on; a look of the history takes no more, 16 at most."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "dagger_samples", tuple(n for n in self.dagger_samples if n))
        RANGES["samples"].check(self.samples)
        RANGES["ppo-steps"].check(self.ppo_steps)
        RANGES["exact-samples"].check(self.exact_samples)
        RANGES["uniform-starts"].check(self.uniform_starts)
        RANGES["eval-levels"].check(self.eval_levels)
        object.__setattr__(self, "scale", check_scale(RANGES["scale"].check(self.scale)))
        for name, values in (("dagger-samples", self.dagger_samples), ("patience", self.patience)):
            for value in values:
                RANGES[name].check(value)
        if len(self.dagger_samples) > MOST_ROUNDS:
            raise InputError(f"train: {len(self.dagger_samples)} rounds of walks; give at most {MOST_ROUNDS}")
        if self.samples + sum(self.dagger_samples) + self.exact_samples + self.ppo_steps == 0:
            raise InputError("train: give imitation samples, PPO steps, or both, or exact samples")
        if self.exact_samples and self.ppo_steps:
            raise InputError("train: exact gradients take the place of PPO; add --exact, or leave out --ppo-steps")
        if self.uniform_starts != TrainSpec.uniform_starts and not self.exact_samples:
            raise InputError("train: only exact gradients have --uniform-starts; add --exact, or leave them out")
        if self.optimizer not in OPTIMIZERS:
            raise InputError(f"optimizer {self.optimizer!r}: {nearest(self.optimizer, OPTIMIZERS)}")
        if self.teacher not in TEACHERS:
            raise InputError(f"teacher {self.teacher!r}: {nearest(self.teacher, TEACHERS)}")
        if self.mode not in WORLD_DIM:
            raise InputError(f"mode {self.mode!r}: {nearest(self.mode, WORLD_DIM)}")
        if self.teacher != "path" and self.ppo_steps:
            raise InputError(f"teacher {self.teacher}: PPO would teach the way to the cheese; add --ppo-steps 0")
        if self.teacher != "path" and self.exact_samples:
            raise InputError(f"teacher {self.teacher}: exact gradients would teach the way; leave out --exact-samples")
        if len(self.patience) != 1 and len(self.patience) != len(self.dagger_samples):
            rounds = f"{len(self.patience)} numbers for {len(self.dagger_samples)} rounds of walks"
            raise InputError(f"patience: {rounds}; give one number, or one for each round")

    @property
    def total(self) -> int:
        """Return the samples and steps of all stages, in whole batches and rollouts."""
        return sum(_length(stage) for stage in self.stages().values())

    @property
    def command(self) -> str:
        """Return the command that repeats the run."""
        words = ["mazesteer train", f"--region {self.region or 0}", f"--scale {self.scale}", f"--seed {self.seed}"]
        words += [f"--samples {self.samples}", f"--dagger-samples {','.join(map(str, self.dagger_samples)) or 0}"]
        words += [f"--ppo-steps {self.ppo_steps}"]
        for name in ("exact_samples", "uniform_starts", "eval_levels", "mode", "optimizer", "device", "teacher"):
            if getattr(self, name) != getattr(TrainSpec, name):
                words.append(f"--{name.replace('_', '-')} {getattr(self, name)}")
        if self.patience != TrainSpec.patience:
            words.append(f"--patience {','.join(map(str, self.patience))}")
        words.append("--bf16" if self.bf16 else "--no-bf16")
        return " ".join([*words, "--out runs/train"])

    def agrees(self, name: str, value: Any) -> bool:
        """Return whether the option ``name`` with ``value`` asks for this same training."""
        try:
            other = replace(self, **{name: value})
        except InputError:
            return False
        return other == self or (name == "patience" and other.stages() == self.stages())

    def stages(self) -> dict[str, Stage | None]:
        """Return each stage's options by name (None: left out). On a GPU batches grow, but for PPO from scratch."""
        shared: dict[str, Any] = {"scale": self.scale, "region": self.region, "seed": self.seed, "bf16": self.bf16}
        shared |= {"mode": self.mode}
        wide = torch.device(self.device).type == "cuda"
        muon = self.optimizer == "muon"
        shown = {**shared, "teacher": self.teacher}
        first = ImitationConfig(samples=self.samples, **shown) if self.samples else None
        patience = self.patience * (len(self.dagger_samples) if len(self.patience) == 1 else 1)
        rounds = [
            DaggerConfig(samples=n, patience=given_up, **{**shown, "seed": self.seed + 10_000 * k})
            for k, (n, given_up) in enumerate(zip(self.dagger_samples, patience, strict=True))
        ]
        if muon and first:  # the walks go on with what is left of the rate
            first = replace(first, matrix_rate=RATES[0], block=BLOCK, decay_to=0.5 if rounds else 0.0)
        if muon:
            rounds = [replace(r, matrix_rate=RATES[1], block=BLOCK) for r in rounds]
        if wide and first:  # rates grow with the root of the batch
            first = replace(
                first, batch_size=2_048, levels_per_batch=96, block=4, learning_rate=2e-3, warmup_samples=200_000
            )
        if wide:
            large: dict[str, Any] = {"n_envs": 512, "random_states": 512, "levels_per_batch": 24, "block": 4}
            rounds = [replace(r, learning_rate=8e-4, warmup_samples=100_000, **large) for r in rounds]
        shape = GENTLE if first or rounds else {}
        if wide and shape:
            shape = {**shape, "n_envs": 256, "learning_rate": 2 * GENTLE["learning_rate"]}
        third = PPOConfig(total_steps=self.ppo_steps, **shape, **shared) if self.ppo_steps else None
        exact = None
        if self.exact_samples:
            exact = ExactConfig(samples=self.exact_samples, uniform_starts=self.uniform_starts, **shared)
        walks = {"dagger" if k == 0 else f"dagger_{k + 1}": config for k, config in enumerate(rounds)}
        last: dict[str, Stage | None] = {"exact": exact} if exact else {"ppo": third}
        return {"imitation": first, **walks, **last}


def _length(stage: Stage | None) -> int:
    """Return the samples or steps of a stage."""
    if stage is None:
        return 0
    if isinstance(stage, ExactConfig):
        return stage.samples
    return stage.steps if isinstance(stage, PPOConfig) else stage.update.total


def start_run(out: Path, spec: TrainSpec, *, bf16: bool | None = None) -> TrainSpec:
    """Begin a run in ``out``: write its ``train.json``.

    Args:
        out: folder of the run; made if it is missing.
        spec: its options.
        bf16: train in bfloat16; None: if the device computes in it by itself.

    Returns:
        The options as written, ``bf16`` decided.

    Raises:
        InputError: the folder holds a run, or the device or an option is not possible; nothing is written then.
    """
    check_device(spec.device)
    if (out / SPEC).exists():
        raise InputError(f"{out} holds a training run; add --resume to go on with it, or choose another --out")
    spec = replace(spec, bf16=bf16_pays(spec.device) if bf16 is None else bf16)
    spec.stages()  # complain about options before anything is written
    write_atomic(out / SPEC, (json.dumps(asdict(spec), indent=2) + "\n").encode())
    return spec


def read_run(out: Path) -> TrainSpec:
    """Return the options of the run in ``out``; raise :class:`InputError` if there is none."""
    path = out / SPEC
    if not os.path.lexists(path):
        raise InputError(f"{out}: no training run there to resume ({SPEC} is missing)")
    spec = read_record(path, TrainSpec, "damaged; begin a new run in another --out")
    check_device(spec.device)
    return spec


def train_pipeline(
    out: Path,
    spec: TrainSpec,
    *,
    progress: Callable[[int, int, Mapping[str, float]], None] | None = None,
    evaluating: Callable[[int, int], None] | None = None,
    save_every_seconds: float = SAVE_EVERY,
    card_levels: tuple[int, int] | None = None,
    watch_levels: tuple[int, int] | None = None,
) -> Path:
    """Train what is left of a run, then write its card.

    Args:
        out: folder of the run, begun by :func:`start_run`; the files in it: see this module.
        spec: its options.
        progress: called with samples and steps done, and in all, and the stage's running figures (``loss``, ...).
        evaluating: called with levels of the card done, and in all.
        save_every_seconds: seconds between two states of the training on disk.
        card_levels: level seeds ``low <= s < high`` of the card's figures; None: ``spec.eval_levels`` from 0 on.
        watch_levels: level seeds of the history's figures; None: the first of :data:`WATCH_LEVELS`, no more than these.

    Returns:
        The path of the final weights, ``policy.safetensors``.

    Raises:
        InputError: a file of the run is damaged, or was begun with other options.
    """

    total = spec.total

    def report(before: int) -> Callable[..., None]:
        def tell(done: int, *rest: Any) -> None:  # the figures are last: PPO gives its steps in all before them
            if progress is not None:
                progress(min(before + done, total), total, rest[-1])

        return tell

    first_watched, end = WATCH_LEVELS
    watched = watch_levels or (first_watched, min(end, first_watched + spec.eval_levels))
    remove_stale(out, out / "ppo", out / SNAPSHOTS)
    stages = spec.stages()
    # Data for a GPU are made by processes; beside one on the processor they need not be.
    workers = max((os.cpu_count() or 1) - 2, 1) if torch.device(spec.device).type == "cuda" else 0
    net: ImpalaPolicyNet | None = None
    earlier: Path | None = None
    before = 0
    for name, stage in stages.items():
        shared: dict[str, Any] = {
            "progress": report(before),
            "watcher": Watcher(out, name, before, spec.region, levels=watched, mode=spec.mode),
            "device": spec.device,
            "save_every_seconds": save_every_seconds,
        }
        if isinstance(stage, ImitationConfig):
            net = train_imitation(stage, out, workers=workers, **shared)
        elif isinstance(stage, DaggerConfig):
            net = net or ImpalaPolicyNet(spec.scale, generator=torch.Generator().manual_seed(spec.seed))
            net = train_dagger(stage, out, net, name=name, workers=workers, **shared)
        elif isinstance(stage, ExactConfig):
            net = train_exact(stage, out, net, workers=workers, **shared)
        elif isinstance(stage, PPOConfig):
            if net is not None:
                earlier = out / "before-ppo.safetensors"
                save_checkpoint(net, earlier)
            net = train_ppo(stage, out / "ppo", net, **shared)
            continue
        before += _length(stage)
    assert net is not None
    final = out / "policy.safetensors"
    save_checkpoint(net, final)
    history = read_history(out)
    learning_curves(history, out / "policy.png", f"{out.name}: exact figures on held-out levels")
    card = make_card(
        final,
        stages,
        region=spec.region,
        mode=spec.mode,
        command=spec.command,
        history=history,
        before_ppo=earlier,
        hardware=hardware_class(spec.device),
        levels=card_levels or (0, spec.eval_levels),
        progress=evaluating,
        keep=out / "figures.json",
    )
    write_card(card, out / "policy.json")
    return final
