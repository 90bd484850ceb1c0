"""Fields are right for any network, and where there is no room to keep anything."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from agents.networks.nature import NaturePolicyNet
from agents.networks.policy import MazePolicy, as_policy
from envs.maze import Maze
from steering.app.session import fields, frames
from steering.app.session.session import Session
from steering.experiments.edit_text import edited, read_edits
from steering.experiments.exact import LevelEvaluator
from tests.helpers.workbench import SITE, state_of

MAZE = Maze.from_ascii("...#.\n.#...\n.##.#\n...#.\nM...C")


class Untraceable(NaturePolicyNet):
    """A branch that depends on data keeps ``torch.fx`` from its graph."""

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        return super().forward(x if x.sum() > -1 else -x)


class Shaped(nn.Module):
    """What follows its first layer reads a shape, and a skip goes round it; it has no value head."""

    def __init__(self) -> None:
        super().__init__()
        generator = torch.Generator().manual_seed(3)
        self.first, self.second = nn.Conv2d(3, 4, 8, 8), nn.Conv2d(4, 4, 3, 1, 1)
        self.head = nn.Linear(4 * 64, 15)
        for weight in self.parameters():
            nn.init.normal_(weight, std=0.3, generator=generator)

    def forward(self, x: Tensor) -> Tensor:
        low = self.first(x)
        high: Tensor = self.head((self.second(torch.relu(low)) + low).view(low.size(0), -1))
        return high


def hold(policy: MazePolicy, edits: Iterable[str], site: str) -> None:
    """Hold a session's fields against the evaluator's, twice: the second time with another coefficient."""
    session = Session(policy)
    for texts in (list(edits), [text.replace("coefficient=1.0", "coefficient=-0.5") for text in edits]):
        made = edited(read_edits(texts, policy), policy, MAZE, site)
        evaluator = LevelEvaluator(policy, MAZE)
        expected = {"steered": evaluator.fields([made])[0], "clean": evaluator.clean, "no_cheese": evaluator.no_cheese}
        updates = list(session.work(state_of(MAZE, texts) | {"site": site}))
        assert [update.facts for update in updates if update.type == "problem"] == []
        rows = [update for update in updates if update.type == "field"]
        found = {panel: np.full((len(MAZE.states), 5), np.nan) for panel in expected}
        for update in rows:
            found[update.facts["panel"]][update.arrays["states"]] = update.arrays["probabilities"]
        for panel, field in expected.items():
            np.testing.assert_allclose(found[panel], field.probabilities, atol=1e-5)
        assert np.abs(found["steered"] - found["clean"]).max() > 1e-4


@pytest.mark.parametrize("kind", [NaturePolicyNet, Untraceable])
def test_networks_of_others(kind: type[NaturePolicyNet]) -> None:
    net = kind(generator=torch.Generator().manual_seed(4))
    site = "features_extractor.cnn.2"
    edits = [f"subtract,vector=cheese,site={site},coefficient=1.0", "ablate,site=features_extractor.cnn.0,channels=1+2"]
    hold(MazePolicy(net, "nature"), edits, site)


def test_a_suffix_that_reads_a_shape_and_what_goes_round_the_edit() -> None:
    hold(
        as_policy(Shaped()), ["add,vector=cheese,site=second,coefficient=1.0", "ablate,site=first,channels=2"], "second"
    )


def test_without_room_everything_is_computed_again(policy: MazePolicy, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fields, "MOST_VALUES", 0)
    monkeypatch.setattr(frames, "MOST_FRAMES", 0)
    hold(policy, [f"subtract,vector=cheese,site={SITE},coefficient=1.0", "ablate,site=block1.conv,channels=1"], SITE)
