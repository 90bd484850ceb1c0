"""What is computed, as typed records; JSON at the edge (no torch)."""

from envs.lazy import lazy_exports

__getattr__, __all__ = lazy_exports(
    {
        "from_json": "steering.records.codec",
        "to_json": "steering.records.codec",
    }
)
