"""Maze agents: what is common to their networks, checkpoints and training."""

from envs.lazy import lazy_exports

__getattr__, __all__ = lazy_exports(
    {
        "ImpalaPolicyNet": "agents.networks.impala",
        "MazePolicy": "agents.networks.policy",
        "NaturePolicyNet": "agents.networks.nature",
        "as_policy": "agents.networks.policy",
        "load_policy": "agents.checkpoints.zoo",
    }
)
