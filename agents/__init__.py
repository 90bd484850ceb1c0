"""Maze agents: the published network, policies, checkpoints and training (torch)."""

from envs.lazy import lazy_exports

__getattr__, __all__ = lazy_exports(
    {
        "ImpalaPolicyNet": "agents.networks.impala",
        "MazePolicy": "agents.networks.policy",
        "NaturePolicyNet": "agents.networks.nature",
        "as_policy": "agents.networks.policy",
        "load_policy": "agents.checkpoints.files",
    }
)
