"""Steering: sites, vectors, interventions, exact evaluation, sweeps and their reports."""

from envs.lazy import lazy_exports

__getattr__, __all__ = lazy_exports(
    {
        "HookedPolicy": "steering.interventions.hooks",
        "Intervention": "steering.interventions.edits",
        "LevelEvaluator": "steering.experiments.exact",
        "Outcome": "steering.experiments.outcome",
        "OutcomeTable": "steering.sweep.outcome_table",
        "Site": "steering.interventions.sites",
        "SteeringVector": "steering.interventions.vectors",
        "Store": "steering.sweep.store",
        "SweepSpec": "steering.sweep.spec",
        "ablate": "steering.interventions.edits",
        "add": "steering.interventions.edits",
        "cheese_vector": "steering.interventions.vectors",
        "cheese_vectors": "steering.interventions.vectors",
        "clamp": "steering.interventions.edits",
        "compare": "steering.analysis.comparison",
        "enumerate_sites": "steering.interventions.sites",
        "evaluate": "steering.experiments.exact",
        "find_site": "steering.interventions.sites",
        "patch": "steering.interventions.edits",
        "qualifying_levels": "steering.experiments.levels",
        "random_vector": "steering.interventions.vectors",
        "replicate": "steering.replication.run",
        "rollouts": "steering.experiments.sampled",
        "subtract": "steering.interventions.edits",
        "summarize": "steering.analysis.summary",
    }
)
