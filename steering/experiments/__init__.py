"""One policy on one level under one condition, and its exact outcome."""

from envs.lazy import lazy_exports

__getattr__, __dir__, __all__ = lazy_exports(
    __name__,
    {
        "CONDITIONS": "steering.experiments.conditions",
        "Condition": "steering.experiments.conditions",
        "EditText": "steering.experiments.edit_text",
        "Evaluation": "steering.experiments.outcome",
        "Given": "steering.experiments.level_conditions",
        "Key": "steering.experiments.conditions",
        "LevelEvaluator": "steering.experiments.exact",
        "MAIN": "steering.experiments.conditions",
        "Outcome": "steering.experiments.outcome",
        "PUBLISHED_SITE": "steering.experiments.conditions",
        "TABLE": "steering.experiments.conditions",
        "VECTOR_KINDS": "steering.experiments.vector_kinds",
        "VectorSource": "steering.experiments.levels",
        "edited": "steering.experiments.edit_text",
        "evaluate": "steering.experiments.exact",
        "find_condition": "steering.experiments.conditions",
        "intervention_named": "steering.experiments.level_conditions",
        "level_intervention": "steering.experiments.level_conditions",
        "qualifying_levels": "steering.experiments.levels",
        "read_edits": "steering.experiments.edit_text",
        "read_vector": "steering.experiments.vector_kinds",
        "rollouts": "steering.experiments.sampled",
        "take_vector": "steering.experiments.vector_kinds",
    },
)
