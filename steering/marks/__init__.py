"""Marks that all figures share: what a colour means, and the axis of sites."""

from envs.lazy import lazy_exports

__getattr__, __dir__, __all__ = lazy_exports(
    __name__,
    {
        "MEANINGS": "steering.marks.colours",
    },
)
