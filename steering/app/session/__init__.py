"""What the workbench computes for the state that its user made: a state in, updates out; no web code."""

from envs.lazy import lazy_exports

__getattr__, __dir__, __all__ = lazy_exports(
    __name__,
    {
        "Context": "steering.app.session.context",
        "Session": "steering.app.session.session",
        "Update": "steering.app.session.updates",
        "WorkbenchState": "steering.app.session.state",
    },
)
