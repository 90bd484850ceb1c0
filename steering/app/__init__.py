"""The live workbench: a maze, a network and an intervention, changed by hand and answered at once."""

from envs.lazy import lazy_exports

__getattr__, __dir__, __all__ = lazy_exports(__name__, {"Workbench": "steering.app.web.widget"})
