"""The command that opens the workbench."""

from envs.lazy import lazy_exports

__getattr__, __dir__, __all__ = lazy_exports(__name__, {})
