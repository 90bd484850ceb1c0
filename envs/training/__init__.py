"""Levels to train and evaluate on, and procgen as a batched environment of them."""

from envs.lazy import lazy_exports

__getattr__, __all__ = lazy_exports(
    {
        "EVAL_LEVELS": "envs.training.levels",
        "MazeEnv": "envs.training.single_env",
        "MazeVecEnv": "envs.training.vec_env",
        "TRAIN_LEVELS": "envs.training.levels",
        "place_cheese": "envs.training.levels",
    }
)
