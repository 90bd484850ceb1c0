"""A network that is no policy is refused in one line that says why."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from agents.networks.policy import as_policy
from envs.errors import InputError
from steering.interventions.sites import enumerate_sites


class Bad(nn.Module):
    """A network made of one function."""

    def __init__(self, function: Callable[[Tensor], object]) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(1))
        self.function = function

    def forward(self, x: Tensor) -> object:
        return self.function(x)


class Counted:
    """Logits that grow with every call."""

    calls = 0

    def __call__(self, x: Tensor) -> Tensor:
        self.calls += 1
        return x.flatten(1)[:, :15] + self.calls


BAD: dict[str, tuple[Callable[[Tensor], object], str]] = {
    "actions": (lambda x: x.flatten(1)[:, :5], r"logits \(3, 5\) of torch.float32, expected \(3, 15\) of floats"),
    "integers": (lambda x: x.flatten(1)[:, :15].argsort(), "of torch.int64"),
    "three things": (lambda x: (x, x, x), r"gives \(Tensor, Tensor, Tensor\), expected logits or \(logits, values\)"),
    "dictionary": (lambda x: {"logits": x}, r"gives \(dict\)"),
    "values": (lambda x: (x.flatten(1)[:, :15], x), r"values \(3, 3, 64, 64\), expected \(3,\) or \(3, 1\)"),
    "nan": (lambda x: x.flatten(1)[:, :15] / 0.0 * 0.0, "NaN or infinite logits"),
    "size": (lambda x: nn.functional.linear(x.flatten(1), torch.zeros(15, 7)), "does not take float32"),
    "chance": (lambda x: torch.rand(len(x), 15), "gives one frame different logits"),
    "batch": (lambda x: (x - x.mean(0)).flatten(1)[:, :15], "gives one frame different logits"),
    "memory": (Counted(), "gives one frame different logits"),
}


@pytest.mark.parametrize("name", BAD)
def test_what_is_no_policy_is_refused_in_one_line(name: str) -> None:
    function, words = BAD[name]
    with pytest.raises(InputError, match=rf"^as_policy: Bad[^\n]*{words}[^\n]*$"):
        as_policy(Bad(function))


def test_what_is_no_network_is_refused() -> None:
    with pytest.raises(InputError, match="^as_policy: found function, expected a torch.nn.Module"):
        as_policy(lambda x: x)  # type: ignore[arg-type]
    constant = Bad(lambda x: constant.weight.expand(x.shape[0], 15))
    with pytest.raises(InputError, match="do not depend on the picture"):
        enumerate_sites(constant)


class Scripted(nn.Module):
    """A network that can be scripted."""

    def forward(self, x: Tensor) -> Tensor:
        return x.flatten(1)[:, :15]


@pytest.mark.filterwarnings("ignore")  # torch remarks that scripts are of yesterday
def test_scripted_and_unfinished_networks_are_refused_in_one_line() -> None:
    lazy = nn.Sequential(nn.Flatten(), nn.LazyLinear(15))
    with pytest.raises(InputError, match=r"^as_policy: Sequential: 1.weight is not initialized yet; run [^\n]+$"):
        as_policy(lazy)
    lazy(torch.zeros(1, 3, 64, 64))
    as_policy(lazy)
    for scripted in (torch.jit.script(Scripted()), torch.jit.trace(Scripted(), torch.zeros(1, 3, 64, 64))):
        with pytest.raises(InputError, match=r"^as_policy: \w+ is scripted or traced[^\n]+$"):
            as_policy(scripted)


class Stored(nn.Module):
    """A network that keeps one of its steps as a function, which no copy of it has as its own."""

    def __init__(self, wrap: Callable[[Callable[[Tensor], Tensor]], Callable[[Tensor], Tensor]]) -> None:
        super().__init__()
        self.layers = nn.Sequential(nn.Flatten(), nn.Linear(3 * 64 * 64, 15))
        self.step = wrap(lambda x: self.layers(x))

    def forward(self, x: Tensor) -> Tensor:
        return self.step(x)


@pytest.mark.parametrize("wrap", [lambda f: f, lambda f: torch.compile(f, backend="eager")], ids=["lambda", "compiled"])
def test_a_copy_that_would_run_the_original_is_refused(
    wrap: Callable[[Callable[[Tensor], Tensor]], Callable[[Tensor], Tensor]],
) -> None:
    """Edits would not reach it, and its numbers would change when the original is trained on."""
    net = Stored(wrap)
    with pytest.raises(InputError, match=r"^as_policy: Stored keeps a function [^\n]+ runs its module layers; [^\n]+$"):
        as_policy(net)
    assert net(torch.zeros(2, 3, 64, 64)).shape == (2, 15)  # it is left as it was
