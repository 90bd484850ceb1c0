"""What the workbench shows of the network's inside: heat maps, channels, curves, causal maps, rollouts."""

from envs.lazy import lazy_exports

__getattr__, __dir__, __all__ = lazy_exports(__name__, {})
