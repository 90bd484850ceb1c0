"""Steering: sites, vectors, interventions, exact evaluation, sweeps and their reports."""

from envs.lazy import lazy_exports

__getattr__, __all__ = lazy_exports(
    {
        "SteeringVector": "steering.vectors",
        "add": "steering.interventions",
        "cheese_vector": "steering.vectors",
        "enumerate_sites": "steering.sites",
        "random_vector": "steering.vectors",
        "subtract": "steering.interventions",
    }
)
