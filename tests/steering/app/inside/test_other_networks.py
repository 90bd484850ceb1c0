"""Any network has an inside: one that cannot be traced is run by hooks, and its numbers are those of its twin."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from agents.networks.nature import NaturePolicyNet
from agents.networks.policy import MazePolicy
from envs.maze import Maze
from steering.app.inside.causal import causal_updates
from steering.app.inside.channels import channel_updates
from steering.app.inside.curve import curve_updates
from steering.app.inside.heat import heat_updates
from steering.app.session.context import Context, Contexts
from steering.app.session.state import HeatAsked
from steering.app.session.updates import Update
from tests.helpers.workbench import understood_by

SITE = "features_extractor.cnn.2"


class Untraceable(NaturePolicyNet):
    """The same, but a branch that depends on data keeps ``torch.fx`` from its graph."""

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        return super().forward(x if x.sum() > -1 else -x)


@pytest.fixture(scope="module")
def contexts(tmp_path_factory: pytest.TempPathFactory) -> list[Context]:
    """The state of one maze for a network and for its twin that cannot be traced."""
    nets = NaturePolicyNet(generator=torch.Generator().manual_seed(4)), Untraceable()
    nets[1].load_state_dict(nets[0].state_dict())
    folder: Path = tmp_path_factory.mktemp("start")
    maze = Maze.from_ascii("...\n.##\nM.C")
    asked = {"site": SITE, "asked": ("curve", "channels", "causal"), "heat": HeatAsked("channel", 3)}
    found = [
        understood_by(Contexts(MazePolicy(net, "nature"), folder, 0), maze, "ablate,channels=1", **asked)
        for net in nets
    ]
    assert found[0].network is not None and found[1].network is None
    return found


def last(updates: list[Update]) -> Update:
    assert [update.facts for update in updates if update.type == "problem"] == []
    return updates[-1]


def test_channels_and_heat_are_the_same_by_hooks(contexts: list[Context]) -> None:
    effects = [last(list(channel_updates(context))).arrays["effect"] for context in contexts]
    np.testing.assert_allclose(effects[0], effects[1], atol=1e-6)
    assert effects[0][0] > 0
    maps = [last(list(heat_updates(context))).arrays for context in contexts]
    np.testing.assert_allclose(maps[0]["map"], maps[1]["map"], atol=1e-6)


def test_the_curve_has_a_number_at_every_site(contexts: list[Context]) -> None:
    whole, by_hooks = (last(list(curve_updates(context))).arrays["blindness"] for context in contexts)
    assert np.isfinite(whole).all() and np.isfinite(by_hooks).all()
    assert whole[0] == pytest.approx(by_hooks[0], abs=1e-4), "at the input"


def test_a_network_without_a_graph_has_no_causal_map_and_says_so(contexts: list[Context]) -> None:
    traced, untraced = (list(causal_updates(context)) for context in contexts)
    assert {update.type for update in traced} == {"causal"}
    ((kind, facts),) = [(update.type, update.facts) for update in untraced]
    assert (kind, facts["what"]) == ("problem", "causal")
