"""Makes ``gymnasium.make("mazesteer/Maze-v0")`` known; importing this module does it.

Gymnasium 1 has no plugin entry points; its way is a module that registers when imported, which
``gymnasium.make("envs.register:mazesteer/Maze-v0")`` imports by itself.
"""

from __future__ import annotations

ENV_ID = "mazesteer/Maze-v0"


def register_envs() -> None:
    """Register the environment; a second call changes nothing."""
    import gymnasium

    if ENV_ID not in gymnasium.registry:
        gymnasium.register(id=ENV_ID, entry_point="envs.training.single_env:MazeEnv")


register_envs()
