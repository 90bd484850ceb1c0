"""The published findings, run again."""

from envs.lazy import lazy_exports

__getattr__, __dir__, __all__ = lazy_exports(
    __name__,
    {
        "FINDINGS": "steering.replication.run",
        "Finding": "steering.replication.protocol",
        "Settings": "steering.replication.protocol",
        "replicate": "steering.replication.run",
    },
)
