"""A training as it goes: its updates, its state on disk, its log, and its history of looks."""

from envs.lazy import lazy_exports

__getattr__, __dir__, __all__ = lazy_exports(
    __name__,
    {
        "Session": "agents.sessions.session",
        "UpdateConfig": "agents.sessions.session",
        "Watcher": "agents.sessions.history",
        "read_history": "agents.sessions.history",
    },
)
