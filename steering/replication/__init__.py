"""The published findings, run again."""

from envs.lazy import lazy_exports

__getattr__, __all__ = lazy_exports(
    {
        "FINDINGS": "steering.replication.run",
        "Finding": "steering.replication.protocol",
        "Settings": "steering.replication.protocol",
        "replicate": "steering.replication.run",
    }
)
