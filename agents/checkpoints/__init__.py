"""Files into networks without running code in them."""

from envs.lazy import lazy_exports

__getattr__, __dir__, __all__ = lazy_exports(
    __name__,
    {
        "export_checkpoint": "agents.checkpoints.files",
        "load_card": "agents.checkpoints.cards",
        "load_policy": "agents.checkpoints.zoo",
        "save_checkpoint": "agents.checkpoints.files",
        "zoo_names": "agents.checkpoints.cards",
        "zoo_snapshots": "agents.checkpoints.cards",
    },
)
