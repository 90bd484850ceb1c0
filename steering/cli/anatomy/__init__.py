"""The command that takes the cheese vector to pieces."""

from envs.lazy import lazy_exports

__getattr__, __dir__, __all__ = lazy_exports(__name__, {"commands": "steering.cli.anatomy.command"})
