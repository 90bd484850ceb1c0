"""Steering: sites, vectors, interventions, exact evaluation, sweeps and their reports."""

from envs.lazy import lazy_exports

__getattr__, __all__ = lazy_exports(
    {
        "SteeringVector": "steering.interventions.vectors",
        "add": "steering.interventions.edits",
        "cheese_vector": "steering.interventions.vectors",
        "enumerate_sites": "steering.interventions.sites",
        "random_vector": "steering.interventions.vectors",
        "subtract": "steering.interventions.edits",
    }
)
