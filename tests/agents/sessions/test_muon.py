"""Muon: orthogonal updates, whatever the gradient's scale; the right weights; state that comes back."""

from __future__ import annotations

import copy

import pytest
import torch
from torch import Tensor, nn

from agents.networks.impala import ImpalaPolicyNet
from agents.sessions.muon import Muon, hidden_weights, orthogonalized


def random(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("shape", [(16, 144), (32, 288), (64, 8)])
def test_singular_values_come_near_one_and_their_bases_stay(shape: tuple[int, int]) -> None:
    stacked = random(3, *shape) * torch.tensor([1e-4, 1.0, 1e4])[:, None, None]
    for given, found in zip(stacked, orthogonalized(stacked), strict=True):
        u, _, v = torch.linalg.svd(given, full_matrices=False)
        inner = u.T @ found @ v.T  # diagonal if the bases are the same
        assert (inner.diagonal() > 0.6).all() and (inner.diagonal() < 1.3).all()
        assert (inner - torch.diag(inner.diagonal())).abs().max() < 1e-3


def test_bfloat16_gives_nearly_the_same_direction_and_zero_stays_zero() -> None:
    given = random(1, 32, 288)
    one, other = orthogonalized(given).flatten(), orthogonalized(given, bf16=True).flatten()
    assert torch.nn.functional.cosine_similarity(one, other, dim=0) > 0.99
    assert torch.equal(orthogonalized(torch.zeros(1, 4, 6)), torch.zeros(1, 4, 6))


def test_a_step_is_the_written_out_formula() -> None:
    """Two steps on a kernel and a tall matrix against momentum by hand and the singular value decomposition's bases."""
    kernel, tall = nn.Parameter(random(4, 3, 3, 3)), nn.Parameter(random(12, 3))
    optimizer = Muon([kernel, tall], lr=0.1, momentum=0.9)
    for p, rows in ((kernel, 4), (tall, 12)):
        value, momentum = p.detach().clone(), torch.zeros_like(p)
        for seed in (1, 2):
            p.grad = random(*p.shape, seed=seed)
            momentum = 0.9 * momentum + 0.1 * p.grad
            update = (0.1 * p.grad + 0.9 * momentum).reshape(1, rows, -1)
            stretch = max(1.0, rows / update.shape[-1]) ** 0.5
            value = value - 0.1 * stretch * orthogonalized(update)[0].reshape(p.shape)
            optimizer.step()
        torch.testing.assert_close(p.detach(), value, rtol=1e-4, atol=1e-5)
        p.grad = None


def test_the_scale_of_the_gradients_does_not_matter() -> None:
    ends = []
    for scale in (1.0, 1e3):
        weight = nn.Parameter(random(8, 20))
        optimizer = Muon([weight], lr=0.05)
        for seed in range(3):
            weight.grad = scale * random(8, 20, seed=seed)
            optimizer.step()
        ends.append(weight.detach())
    torch.testing.assert_close(*ends, rtol=1e-3, atol=1e-4)


def test_heads_biases_and_the_first_layer_are_left_to_adam() -> None:
    net = ImpalaPolicyNet(1)
    names = {id(p): name for name, p in net.named_parameters()}
    hidden, others = hidden_weights(net)
    assert {id(p) for p in hidden} | {id(p) for p in others} == set(names) and len(hidden) + len(others) == len(names)
    left = {names[id(p)] for p in others}
    weights = {name for name in left if name.endswith("weight")}
    assert weights == {"embedder.block1.conv.weight", "fc_policy.weight", "fc_value.weight"}
    assert {name for name in names.values() if name.endswith("bias")} <= left
    assert len(hidden) == 15  # 14 convolutions behind the first one, and the fully connected layer
    with pytest.raises(ValueError, match="fewer than two axes"):
        Muon([net.fc_policy.bias], lr=0.1)


def test_state_that_was_stored_goes_on_to_the_same_bits() -> None:
    def steps(optimizer: Muon, weight: nn.Parameter, seeds: range) -> None:
        for seed in seeds:
            weight.grad = random(8, 20, seed=seed)
            optimizer.step()

    whole = nn.Parameter(random(8, 20))
    steps(Muon([whole], lr=0.05), whole, range(6))
    part = nn.Parameter(random(8, 20))
    first = Muon([part], lr=0.05)
    steps(first, part, range(3))
    kept, again = copy.deepcopy(first.state_dict()), nn.Parameter(part.detach().clone())
    second = Muon([again], lr=0.05)
    second.load_state_dict(kept)
    steps(second, again, range(3, 6))
    assert torch.equal(whole, again)
