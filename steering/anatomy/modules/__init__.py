"""Whether the network has modules: the channels that cheese, walls and mouse move, and the graph of its kernels."""

from envs.lazy import lazy_exports

__getattr__, __dir__, __all__ = lazy_exports(
    __name__,
    {
        "ChannelGraph": "steering.anatomy.modules.channels",
        "channel_graph": "steering.anatomy.modules.channels",
    },
)
