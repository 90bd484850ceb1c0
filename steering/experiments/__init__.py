"""One policy on one level under one condition, and its exact outcome."""

from envs.lazy import lazy_exports

__getattr__, __all__ = lazy_exports(
    {
        "CONDITIONS": "steering.experiments.conditions",
        "Key": "steering.experiments.conditions",
        "LevelEvaluator": "steering.experiments.exact",
        "MAIN": "steering.experiments.conditions",
        "Outcome": "steering.experiments.outcome",
        "evaluate": "steering.experiments.exact",
        "level_intervention": "steering.experiments.level_conditions",
        "qualifying_levels": "steering.experiments.levels",
        "rollouts": "steering.experiments.sampled",
    }
)
