"""From a stored run to numbers and conclusions (no network, no torch)."""

from envs.lazy import lazy_exports

__getattr__, __all__ = lazy_exports(
    {
        "boundary_readings": "steering.analysis.summary",
        "compare": "steering.analysis.comparison",
        "conclude_sweep": "steering.analysis.conclusion",
        "effects": "steering.analysis.effects",
        "power_of_run": "steering.analysis.power",
        "summarize": "steering.analysis.summary",
    }
)
