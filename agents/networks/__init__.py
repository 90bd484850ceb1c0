"""Networks and the policies made of them."""

from envs.lazy import lazy_exports

__getattr__, __dir__, __all__ = lazy_exports(
    __name__,
    {
        "ImpalaPolicyNet": "agents.networks.impala",
        "MazePolicy": "agents.networks.policy",
        "NaturePolicyNet": "agents.networks.nature",
        "Policy": "agents.networks.policy",
        "as_policy": "agents.networks.policy",
    },
)
