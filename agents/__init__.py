"""Maze agents: what is common to their networks, checkpoints and training."""

from envs.lazy import lazy_exports

__getattr__, __dir__, __all__ = lazy_exports(
    __name__,
    {
        "ImpalaPolicyNet": "agents.networks.impala",
        "MazePolicy": "agents.networks.policy",
        "NaturePolicyNet": "agents.networks.nature",
        "Policy": "agents.networks.policy",
        "as_policy": "agents.networks.policy",
        "export_checkpoint": "agents.checkpoints.files",
        "load_card": "agents.checkpoints.cards",
        "load_policy": "agents.checkpoints.zoo",
        "policy_figures": "agents.evaluation",
        "save_checkpoint": "agents.checkpoints.files",
        "zoo_names": "agents.checkpoints.cards",
    },
)
