"""The published network: names, sizes, shapes."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from agents.networks.impala import ImpalaPolicyNet, block_channels, check_scale
from envs.errors import InputError


def parameters_by_hand(scale: float) -> int:
    """Weights and biases: a 3x3 convolution a -> b has 9ab + b, a linear map ab + b."""
    total, before = 0, 3
    for channels in (16 * scale, 32 * scale, 32 * scale):
        total += 9 * before * channels + channels + 4 * (9 * channels * channels + channels)
        before = channels
    return total + (before * 64 + 1) * 256 + (256 + 1) * (15 + 1)


@pytest.mark.parametrize("scale", [1, 2, 4, 0.5, 1.25, 0.0625])
def test_parameter_counts(scale: float) -> None:
    with torch.device("meta"):
        net = ImpalaPolicyNet(scale)
    assert sum(p.numel() for p in net.parameters()) == parameters_by_hand(scale)
    assert block_channels(scale) == (16 * scale, 32 * scale, 32 * scale)


def test_the_published_size() -> None:
    assert parameters_by_hand(4) == 3_653_136


def test_keys_are_the_published_ones() -> None:
    convs = [f"embedder.block{b}.conv" for b in (1, 2, 3)]
    convs += [f"embedder.block{b}.res{r}.conv{c}" for b in (1, 2, 3) for r in (1, 2) for c in (1, 2)]
    layers = [*convs, "embedder.fc", "fc_policy", "fc_value"]
    net = ImpalaPolicyNet(1)
    assert set(net.state_dict()) == {f"{layer}.{part}" for layer in layers for part in ("weight", "bias")}
    names = set(dict(net.named_modules()))
    assert {"embedder.block2.res1.resadd", "embedder.block1.maxpool", "embedder.relu3", "embedder.flatten"} <= names
    assert {"embedder.relufc", "embedder.block3.res2.relu1", "embedder.block3.res2.relu2"} <= names


@pytest.mark.parametrize("scale", [1, 2])
def test_shapes(scale: int) -> None:
    net = ImpalaPolicyNet(scale, generator=torch.Generator().manual_seed(0))
    shapes = {}
    for name, module in net.named_modules():
        module.register_forward_hook(lambda _m, _i, out, name=name: shapes.__setitem__(name, out))
    logits, values = net(torch.rand(3, 3, 64, 64, generator=torch.Generator().manual_seed(1)))
    assert logits.shape == (3, 15) and values.shape == (3,)
    c1, c2, c3 = block_channels(scale)
    assert shapes["embedder.block1.conv"].shape == (3, c1, 64, 64)
    for block, channels, side in ((1, c1, 32), (2, c2, 16), (3, c3, 8)):
        for inner in ("maxpool", "res1.conv1", "res2.resadd"):
            assert shapes[f"embedder.block{block}.{inner}"].shape == (3, channels, side, side)
    assert shapes["embedder.flatten"].shape == (3, c3 * 64) and shapes["embedder.relufc"].shape == (3, 256)


def test_forward_is_the_published_computation() -> None:
    """Written out with functions alone, from the state dict."""
    net = ImpalaPolicyNet(1, generator=torch.Generator().manual_seed(3)).double()
    w = net.state_dict()
    f = torch.nn.functional
    x = torch.rand(2, 3, 64, 64, generator=torch.Generator().manual_seed(4)).double()

    def conv(x: torch.Tensor, key: str) -> torch.Tensor:
        return f.conv2d(x, w[f"{key}.weight"], w[f"{key}.bias"], padding=1)

    h = x
    for block in ("block1", "block2", "block3"):
        h = f.max_pool2d(conv(h, f"embedder.{block}.conv"), 3, 2, 1)
        for res in ("res1", "res2"):
            key = f"embedder.{block}.{res}"
            h = h + conv(f.relu(conv(f.relu(h), f"{key}.conv1")), f"{key}.conv2")
    h = f.relu(f.relu(h).flatten(1) @ w["embedder.fc.weight"].T + w["embedder.fc.bias"])
    logits, values = net(x)
    torch.testing.assert_close(logits, h @ w["fc_policy.weight"].T + w["fc_policy.bias"])
    torch.testing.assert_close(values, (h @ w["fc_value.weight"].T + w["fc_value.bias"])[:, 0])


def test_initial_weights_are_a_function_of_the_generator() -> None:
    def weights(seed: int) -> dict[str, torch.Tensor]:
        torch.manual_seed(seed + 100)  # the global generator must not matter
        return ImpalaPolicyNet(1, generator=torch.Generator().manual_seed(seed)).state_dict()

    first, second, other = weights(0), ImpalaPolicyNet(1, generator=torch.Generator().manual_seed(0)), weights(1)
    assert all(torch.equal(first[k], v) for k, v in second.state_dict().items())
    assert all(not torch.equal(first[k], other[k]) for k in first if k.endswith("weight"))
    assert all(not v.any() for k, v in first.items() if k.endswith("bias"))
    assert first["fc_policy.weight"].abs().max() < 0.01


def test_scale_must_be_positive() -> None:
    with pytest.raises(ValueError, match="scale is 0"):
        ImpalaPolicyNet(0)


@pytest.mark.parametrize("scale", [0.3, 1 / 32, -0.5, 0.0, float("nan"), float("inf")])
def test_a_scale_has_whole_channels_or_is_refused(scale: float) -> None:
    with pytest.raises(InputError, match="^scale is [^\n]*, must be a multiple of 0.0625: [^\n]*$"):
        check_scale(scale)


@given(st.integers(1, 512))
def test_every_width_of_the_first_block_is_a_scale(channels: int) -> None:
    """Also: whole scales are printed as ever, others by all of their digits."""
    scale = check_scale(channels / 16)
    assert block_channels(scale) == (channels, 2 * channels, 2 * channels)
    assert (str(scale) == str(channels // 16)) is (channels % 16 == 0) and check_scale(float(str(scale))) == scale
