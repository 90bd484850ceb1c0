"""A run directory: planned, computed unit by unit, stored; resumable."""

from envs.lazy import lazy_exports

__getattr__, __all__ = lazy_exports(
    {
        "Cluster": "steering.sweep.executors",
        "OutcomeTable": "steering.sweep.outcome_table",
        "Store": "steering.sweep.store",
        "SweepOptions": "steering.sweep.planning",
        "SweepSpec": "steering.sweep.spec",
        "run_directory": "steering.sweep.store",
        "run_sweep": "steering.sweep.run",
        "run_unit": "steering.sweep.units",
    }
)
