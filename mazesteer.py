"""All public names of mazesteer under one import; ``python -m mazesteer`` is the command."""

import agents
import envs
import steering
import videos
from envs.lazy import lazy_exports

__version__ = "0.1.0"
__getattr__, __dir__, __all__ = lazy_exports(
    __name__, {name: package.__name__ for package in (envs, agents, videos, steering) for name in package.__all__}
)

if __name__ == "__main__":
    from steering.cli.app import main

    main()
