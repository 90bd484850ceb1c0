"""What a user gives a command beside the name of a condition: vectors and edits."""

from envs.lazy import lazy_exports

__getattr__, __dir__, __all__ = lazy_exports(__name__, {})
