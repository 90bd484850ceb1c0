"""procgen itself: the bytes of its states, and its pictures of them (no torch)."""

from envs.lazy import lazy_exports

__getattr__, __dir__, __all__ = lazy_exports(
    __name__,
    {
        "MazeState": "envs.simulator.state_bytes",
    },
)
