"""What the commands share that measure an agent level by level, beside a sweep or alone: options, run, rows."""

from envs.lazy import lazy_exports

__getattr__, __dir__, __all__ = lazy_exports(
    __name__,
    {
        "MeasureOptions": "steering.measuring.beside_sweep",
        "digest_of": "steering.measuring.rows",
        "keep_rows": "steering.measuring.rows",
        "measurements": "steering.measuring.beside_sweep",
        "stored_rows": "steering.measuring.rows",
    },
)
