"""Figures and tables of what the cheese vector is made of."""

from envs.lazy import lazy_exports

__getattr__, __dir__, __all__ = lazy_exports(
    __name__,
    {
        "interference_figure": "steering.figures.anatomy.interference_figures",
        "interference_table": "steering.figures.anatomy.interference_figures",
    },
)
