"""What the anatomies of several agents have in common (no network, no torch)."""

from envs.lazy import lazy_exports

__getattr__, __dir__, __all__ = lazy_exports(
    __name__,
    {
        "CircuitRows": "steering.analysis.anatomy.circuits",
        "compared_circuits": "steering.analysis.anatomy.circuits",
        "partners": "steering.analysis.anatomy.matching",
        "shared_channels": "steering.analysis.anatomy.circuits",
    },
)
