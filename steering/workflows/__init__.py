"""A whole sweep: planned, computed, told on the console, written out as pages."""

from envs.lazy import lazy_exports

__getattr__, __dir__, __all__ = lazy_exports(
    __name__,
    {
        "Run": "steering.workflows.finished",
        "bar": "steering.workflows.progress",
        "layer_sweep": "steering.workflows.sweep_runs",
        "load_run": "steering.workflows.finished",
        "print_outputs": "steering.workflows.outputs",
        "rewrite_outputs": "steering.workflows.outputs",
        "run_layer_sweep": "steering.workflows.sweep_runs",
        "run_layer_sweeps": "steering.workflows.sweep_runs",
        "write_outputs": "steering.workflows.outputs",
    },
)
