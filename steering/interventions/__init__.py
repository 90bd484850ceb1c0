"""Sites, steering vectors, and edits of activations."""

from envs.lazy import lazy_exports

__getattr__, __dir__, __all__ = lazy_exports(
    __name__,
    {
        "HookedPolicy": "steering.interventions.hooks",
        "Intervention": "steering.interventions.edits",
        "PartialNetwork": "steering.interventions.partial",
        "Site": "steering.interventions.sites",
        "SteeringVector": "steering.interventions.vectors",
        "activation": "steering.interventions.vectors",
        "ablate": "steering.interventions.edits",
        "add": "steering.interventions.edits",
        "cheese_vector": "steering.interventions.vectors",
        "cheese_vectors": "steering.interventions.vectors",
        "clamp": "steering.interventions.edits",
        "enumerate_sites": "steering.interventions.sites",
        "find_site": "steering.interventions.sites",
        "mean_cheese_vectors": "steering.interventions.vectors",
        "mean_vector": "steering.interventions.vectors",
        "mean_activation": "steering.interventions.vectors",
        "patch": "steering.interventions.edits",
        "patch_place": "steering.interventions.edits",
        "random_vector": "steering.interventions.vectors",
        "select_sites": "steering.interventions.sites",
        "subtract": "steering.interventions.edits",
        "top_right_vectors": "steering.interventions.vectors",
    },
)
