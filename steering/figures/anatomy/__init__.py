"""Figures and tables of what the cheese vector is made of."""

from envs.lazy import lazy_exports

__getattr__, __dir__, __all__ = lazy_exports(
    __name__,
    {
        "anatomy_captions": "steering.figures.anatomy.parts",
        "anatomy_figures": "steering.figures.anatomy.parts",
        "anatomy_tables": "steering.figures.anatomy.parts",
        "interference_figure": "steering.figures.anatomy.interference_figures",
        "interference_table": "steering.figures.anatomy.interference_figures",
        "modules_figure": "steering.figures.anatomy.modules_figures",
        "modules_table": "steering.figures.anatomy.modules_figures",
        "modules_training_figure": "steering.figures.anatomy.modules_figures",
    },
)
