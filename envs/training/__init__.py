"""Levels to train and evaluate on, and procgen as a batched environment of them."""

from envs.lazy import lazy_exports

__getattr__, __dir__, __all__ = lazy_exports(
    __name__,
    {
        "EVAL_LEVELS": "envs.training.levels",
        "MazeEnv": "envs.training.single_env",
        "MazeVecEnv": "envs.training.vec_env",
        "TRAIN_LEVELS": "envs.training.levels",
        "make_gym": "envs.training.single_env",
        "make_vec_env": "envs.training.vec_env",
        "place_cheese": "envs.training.levels",
    },
)
