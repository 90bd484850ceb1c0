"""The graph of channels: what joins them in each network, what the skip does, and what is refused."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from agents.networks.impala import ImpalaPolicyNet
from agents.networks.nature import NaturePolicyNet
from agents.networks.policy import MazePolicy
from envs.errors import InputError
from steering.anatomy.modules.channels import channel_graph
from steering.interventions.sites import enumerate_sites


class Small(nn.Module):
    """A convolution, something, and a linear layer."""

    def __init__(self, between: nn.Module, flat: int = 4 * 64 * 64) -> None:
        super().__init__()
        self.conv, self.between, self.flatten = nn.Conv2d(3, 4, 3, padding=1), between, nn.Flatten()
        self.head = nn.Linear(flat, 15)

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.head(self.flatten(self.between(self.conv(x))))
        return out


def test_a_residual_stream_is_one_group_of_channels(policy: MazePolicy) -> None:
    graph = channel_graph(policy.net)
    assert [group.channels for group in graph.groups] == [3, *[16] * 3, *[32] * 6, 256, 15]
    stream = next(k for k, group in enumerate(graph.groups) if "embedder.block2.maxpool" in group.places)
    for name in ("conv", "res1.resadd", "res1.conv2", "res2.resadd"):
        assert f"embedder.block2.{name}" in graph.groups[stream].places
    joins = {layer.name: (layer.source, layer.target) for layer in graph.layers}
    hidden = joins["embedder.block2.res1.conv1"][1]
    assert joins["embedder.block2.res1.conv1"] == (stream, hidden) and joins["embedder.block2.res1.conv2"] == (
        hidden,
        stream,
    )
    assert joins["embedder.block3.conv"][0] == stream and "fc_value" not in joins
    known = {place: group.channels for group in graph.groups for place in group.places}
    for site in enumerate_sites(policy.net):  # every site has channels, and a map as many as its first axis says
        assert known[site.name] == site.shape[0] or site.name == "embedder.flatten"
    assert known["embedder.flatten"] == 32  # a flattened map keeps its channels


def test_an_edge_is_the_norm_of_the_kernel_between_two_channels(policy: MazePolicy) -> None:
    layers = {layer.name: layer.norms for layer in channel_graph(policy.net).layers}
    kernel = policy.net.get_submodule("embedder.block2.conv").weight
    assert layers["embedder.block2.conv"][5, 7] == pytest.approx(float(kernel[5, 7].norm()), rel=1e-6)
    fc = policy.net.get_submodule("embedder.fc").weight
    assert layers["embedder.fc"][9, 3] == pytest.approx(float(fc[9, 3 * 64 : 4 * 64].norm()), rel=1e-6)
    head = policy.net.get_submodule("fc_policy").weight
    assert np.allclose(layers["fc_policy"], np.abs(head.numpy()))


@pytest.mark.parametrize(
    ("net", "widths"),
    [
        (ImpalaPolicyNet(0.5), [3, *[8] * 3, *[16] * 6, 256, 15]),
        (NaturePolicyNet(64, (32,), raw=True), [3, 32, 64, 64, 64, 32, 15]),
        (NaturePolicyNet(64, (), (32,), shared=False), [3, 32, 64, 64, 64, 15]),
        (Small(nn.AvgPool2d(8), 256), [3, 4, 15]),
        (Small(nn.Conv2d(4, 6, 1), 6 * 64 * 64), [3, 4, 6, 15]),
    ],
    ids=["impala", "nature", "two extractors", "pool", "pointwise"],
)
def test_other_networks_have_their_graph(net: nn.Module, widths: list[int]) -> None:
    assert [group.channels for group in channel_graph(net).groups] == widths


@pytest.mark.parametrize(
    ("between", "says"),
    [
        (nn.BatchNorm2d(4), r"the channels behind between \(BatchNorm2d\) are not known; leave this part out$"),
        (nn.Conv2d(4, 4, 3, padding=1, groups=2), r"behind between \(Conv2d\)"),
        (nn.PixelShuffle(2), r"behind between \(PixelShuffle\)"),
        (nn.Flatten(2), r"behind between \(Flatten\)"),
    ],
    ids=["scales", "groups", "mixes", "keeps an axis"],
)
def test_channels_that_are_not_known_are_refused_in_one_line(between: nn.Module, says: str) -> None:
    with pytest.raises(InputError, match=rf"^--parts modules: .*{says}") as caught:
        channel_graph(Small(between))
    assert "\n" not in str(caught.value)


def test_a_network_that_cannot_be_traced_is_refused_in_one_line() -> None:
    class Branching(Small):
        def forward(self, x: Tensor) -> Tensor:
            return super().forward(x if float(x.sum()) < 0 else -x)

    with pytest.raises(InputError, match=r"^--parts modules: Branching cannot be traced .*; leave this part out$"):
        channel_graph(Branching(nn.Identity()))


def test_sums_of_other_channels_are_refused() -> None:
    class Summed(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.one, self.two, self.head = nn.Conv2d(3, 1, 1), nn.Conv2d(3, 4, 1), nn.Linear(4 * 64 * 64, 15)

        def forward(self, x: Tensor) -> Tensor:
            out: Tensor = self.head(torch.flatten(self.one(x) + self.two(x), 1))
            return out

    with pytest.raises(InputError, match=r"behind add \(add\) are not known"):
        channel_graph(Summed())
