"""One table of networks: each is recognised by its names; a new one is a row, and is checked as strictly."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
import safetensors.torch
import torch
from torch import nn

from agents.checkpoints import registry
from agents.checkpoints.registry import ARCHITECTURES, Architecture, architecture_of, published_net
from agents.checkpoints.stated import Origin
from agents.checkpoints.zoo import load_policy
from agents.networks.impala import ImpalaPolicyNet
from agents.networks.nature import NaturePolicyNet
from agents.networks.policy import MazePolicy
from envs.errors import InputError
from steering.experiments.conditions import PUBLISHED_SITE
from steering.interventions.sites import find_site
from tests.helpers.worked_diff import copy_with, worked_diff


class Toy(nn.Module):
    """Logits from the mean colour."""

    def __init__(self) -> None:
        super().__init__()
        self.colours = nn.Linear(3, 15)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        logits: torch.Tensor = self.colours(x.mean(dim=(2, 3)))
        return logits


def blank_toy(weights: registry.Weights, origin: Origin) -> tuple[nn.Module, registry.Weights]:
    with torch.device("meta"):
        return Toy(), weights


@pytest.fixture
def toy(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A file of the toy, which is a row of the table."""
    row = Architecture("a toy", Toy, lambda weights: "colours.weight" in weights, blank_toy)
    monkeypatch.setattr(registry, "ARCHITECTURES", (row, *ARCHITECTURES))
    file = tmp_path / "toy.safetensors"
    safetensors.torch.save_file(Toy().state_dict(), file)
    return file


def test_each_network_is_recognised_by_its_own_weights_alone() -> None:
    for net in (ImpalaPolicyNet(), NaturePolicyNet()):
        assert [each for each in ARCHITECTURES if each.recognises(net.state_dict())] == [architecture_of(net)]
    assert architecture_of(Toy()) is None


def test_one_network_is_the_published_one_and_has_the_published_site() -> None:
    (published,) = (each for each in ARCHITECTURES if each.published)
    assert find_site(published.network(), PUBLISHED_SITE).name == PUBLISHED_SITE


def test_a_network_of_ones_own_is_loaded_from_its_file(toy: Path) -> None:
    policy = load_policy(toy)
    assert type(policy.net) is Toy and policy.name == "toy"
    written = safetensors.torch.load_file(toy)
    assert all(torch.equal(value, written[key]) for key, value in policy.net.state_dict().items())
    with pytest.raises(InputError, match="^policy toy: a Toy, expected the published IMPALA network$"):
        published_net(policy)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"colours.bias": None}, "colours.bias is missing"),
        ({"colours.bias": torch.zeros(14)}, r"colours.bias is \(14,\), expected \(15,\)"),
        ({"colours.bias": torch.full((15,), torch.nan)}, "colours.bias holds NaN or infinite weights"),
        ({"more": torch.zeros(1)}, r"unknown key more \(and 0 more\)"),
    ],
)
def test_its_weights_are_checked_as_all_are(toy: Path, change: dict[str, torch.Tensor | None], says: str) -> None:
    given = {**Toy().state_dict(), **change}
    safetensors.torch.save_file({key: value for key, value in given.items() if value is not None}, toy)
    with pytest.raises(InputError, match=f"^checkpoint .*: {says}$"):
        load_policy(toy)


def test_nothing_is_stated_of_a_network_that_asks_for_nothing(toy: Path) -> None:
    with pytest.raises(InputError, match="--activation and --scale-pixels are not for a toy; leave them out$"):
        load_policy(toy, scale_pixels=1)


def test_weights_of_no_network_are_refused(tmp_path: Path) -> None:
    file = tmp_path / "x.safetensors"
    safetensors.torch.save_file(Toy().state_dict(), file)
    with pytest.raises(InputError, match="not the published IMPALA network") as caught:
        load_policy(file)
    assert "\n" not in str(caught.value)


def test_the_published_network_is_told_from_others(policy: MazePolicy) -> None:
    assert published_net(policy) is policy.net


def test_the_worked_diff_of_the_documentation_adds_a_network(tmp_path: Path) -> None:
    """By three files; it is loaded from its file."""
    changes = worked_diff("docs/contributing.md", "A network")
    assert len(changes) == 3
    (tmp_path / "tests").mkdir()
    copy_with(changes, tmp_path)
    code = (
        "import safetensors.torch; from agents.networks.linear import LinearPolicyNet as Net\n"
        "from agents.checkpoints.zoo import load_policy; net = Net()\n"
        "safetensors.torch.save_file(net.state_dict(), 'x.safetensors')\n"
        "assert (load_policy('x.safetensors').net.pixels.weight == net.pixels.weight).all()\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "PYTHONPATH": str(tmp_path)},
        cwd=tmp_path,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
