"""Figures and tables from numbers, each for one page or picture; nothing is computed anew."""

from envs.lazy import lazy_exports

__getattr__, __dir__, __all__ = lazy_exports(
    __name__,
    {
        "sweep_picture": "steering.figures.static_figures",
    },
)
