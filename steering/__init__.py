"""Steering: sites, vectors, interventions, exact evaluation, sweeps and their reports."""

from envs.lazy import lazy_exports

__getattr__, __dir__, __all__ = lazy_exports(
    __name__,
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
        "SweepSummary": "steering.records.sweep",
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
        "read_compared_runs": "steering.analysis.compared_runs",
        "replicate": "steering.replication.run",
        "rollouts": "steering.experiments.sampled",
        "subtract": "steering.interventions.edits",
        "summarize": "steering.analysis.summary",
        "summarize_run": "steering.analysis.summary",
        "write_report": "steering.reports.sweep_report",
    },
)
