"""The commands: options in, console out."""

from envs.lazy import lazy_exports

__getattr__, __dir__, __all__ = lazy_exports(
    __name__,
    {
        "main": "steering.cli.app",
    },
)
