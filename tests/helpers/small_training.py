"""The stages of a training as they are, but in batches and rollouts that take seconds."""

from __future__ import annotations

from dataclasses import replace

from agents.training.card import Stage
from agents.training.exact import ExactConfig
from agents.training.imitation import ImitationConfig
from agents.training.pipeline import TrainSpec
from agents.training.ppo import PPOConfig

STAGES = TrainSpec.stages
BATCH = 128
TOLD = 20 * BATCH  # samples from one word of progress to the next


def small_stages(spec: TrainSpec) -> dict[str, Stage | None]:
    """In place of ``TrainSpec.stages``."""
    stages = STAGES(spec)
    first, exact, last = stages["imitation"], stages.get("exact"), stages.get("ppo")
    if isinstance(first, ImitationConfig):
        stages["imitation"] = replace(first, batch_size=BATCH)
    if isinstance(exact, ExactConfig):
        stages["exact"] = replace(exact, levels_per_batch=1, passes=1)
    if isinstance(last, PPOConfig):
        warmup = 256 if last.critic_warmup_steps else 0
        stages["ppo"] = replace(last, n_envs=8, n_steps=32, minibatches=2, critic_warmup_steps=warmup)
    return stages
