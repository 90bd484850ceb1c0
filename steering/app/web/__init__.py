"""How the workbench reaches a browser or a notebook: frames of bytes, a small server, a widget."""

from envs.lazy import lazy_exports

__getattr__, __dir__, __all__ = lazy_exports(__name__, {})
