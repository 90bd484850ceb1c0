"""A run directory: planned, computed unit by unit, stored; resumable."""

from envs.lazy import lazy_exports

__getattr__, __dir__, __all__ = lazy_exports(
    __name__,
    {
        "Cluster": "steering.sweep.executors",
        "OutcomeTable": "steering.sweep.outcome_table",
        "Store": "steering.sweep.store",
        "SweepOptions": "steering.sweep.planning",
        "SweepSpec": "steering.sweep.spec",
        "dask": "steering.sweep.executors",
        "local": "steering.sweep.executors",
        "plan_sweep": "steering.sweep.planning",
        "read_index": "steering.sweep.artifacts",
        "read_probes": "steering.sweep.artifacts",
        "run_directory": "steering.sweep.store",
        "run_sweep": "steering.sweep.run",
        "run_unit": "steering.sweep.units",
    },
)
