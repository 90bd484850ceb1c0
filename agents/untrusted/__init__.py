"""Bytes that may be anybody's into tensors and plain values; nothing in them is run."""

from envs.lazy import lazy_exports

__getattr__, __dir__, __all__ = lazy_exports(__name__, {"read_pickle": "agents.untrusted.plain_pickles"})
