"""One policy on one level under one condition, and its exact outcome."""

from envs.lazy import lazy_exports

__getattr__, __all__ = lazy_exports({})
