"""From a stored run to numbers and conclusions (no network, no torch)."""

from envs.lazy import lazy_exports

__getattr__, __dir__, __all__ = lazy_exports(
    __name__,
    {
        "ComparedRun": "steering.analysis.compared_runs",
        "agents_boundary": "steering.analysis.comparison",
        "boundary_readings": "steering.analysis.summary",
        "caveats": "steering.analysis.conclusion",
        "compare": "steering.analysis.comparison",
        "conclude_sweep": "steering.analysis.conclusion",
        "effects": "steering.analysis.paired_effects",
        "power_of_run": "steering.analysis.power",
        "read_compared_runs": "steering.analysis.compared_runs",
        "summarize": "steering.analysis.summary",
        "summarize_run": "steering.analysis.summary",
    },
)
