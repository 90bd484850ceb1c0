"""One module per command: options, work, console."""

from envs.lazy import lazy_exports

__getattr__, __all__ = lazy_exports(
    {
        "main": "steering.cli.app",
    }
)
