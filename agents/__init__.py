"""Maze agents: the published network, policies, checkpoints and training (torch)."""

from envs.lazy import lazy_exports

__getattr__, __all__ = lazy_exports(
    {
        "ImpalaPolicyNet": "agents.impala",
        "MazePolicy": "agents.policy",
        "NaturePolicyNet": "agents.nature",
        "as_policy": "agents.policy",
        "load_policy": "agents.checkpoints",
    }
)
