"""Imitation, DAgger, exact gradients, PPO, and the card that comes of it."""

from envs.lazy import lazy_exports

__getattr__, __dir__, __all__ = lazy_exports(
    __name__,
    {
        "TrainSpec": "agents.training.pipeline",
        "start_run": "agents.training.pipeline",
        "train_pipeline": "agents.training.pipeline",
    },
)
