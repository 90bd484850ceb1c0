"""Pages of figures, tables and words; nothing is computed anew."""

from envs.lazy import lazy_exports

__getattr__, __dir__, __all__ = lazy_exports(
    __name__,
    {
        "run_compare": "steering.reports.comparison_report",
        "write_report": "steering.reports.sweep_report",
    },
)
