"""From a stored run to numbers and conclusions (no network, no torch)."""

from envs.lazy import lazy_exports

__getattr__, __all__ = lazy_exports(
    {
        "boundary_readings": "steering.analysis.summary",
        "caveats": "steering.analysis.conclusion",
        "compare": "steering.analysis.comparison",
        "conclude_sweep": "steering.analysis.conclusion",
        "effects": "steering.analysis.paired_effects",
        "power_of_run": "steering.analysis.power",
        "summarize": "steering.analysis.summary",
    }
)
