"""The page of results has the matched control: the cheese in the top right in training, against the cheese anywhere."""

from __future__ import annotations

from agents.checkpoints.cards import load_card
from tests.test_result import printed, table

CHEESE = ("region5-easy", "anywhere-easy")
SECTION = "## The cheese anywhere: a matched control"


def test_the_recipes_differ_in_where_the_cheese_lies_alone() -> None:
    first, second = (load_card(name)["training"] for name in CHEESE)
    stages = {stage for stage, options in first.items() if isinstance(options, dict)}
    assert stages == {stage for stage, options in second.items() if isinstance(options, dict)}
    assert stages == {"imitation", "dagger", "dagger_2", "ppo"}
    for stage in stages:
        options = first[stage] | second[stage]
        assert {key for key in options if first[stage].get(key) != second[stage].get(key)} == {"region"}, stage
        assert (first[stage]["region"], second[stage]["region"]) == (5, None)


def test_the_section_has_the_numbers_of_the_cards() -> None:
    short = {row[0]: row[1:] for row in table(SECTION)}
    cards = [load_card(name)["figures"] for name in CHEESE]
    for row, key in (
        ("P(cheese) as in training, levels 0 to 255", "p_cheese_in_distribution"),
        ("P(cheese), cheese anywhere", "p_cheese_anywhere"),
    ):
        assert short[row] == [printed(figures[key]) for figures in cards]
    for row, key in (
        ("move to the cheese at decision squares", "p_cheese_move"),
        ("move to the corner there", "p_corner_move"),
    ):
        assert short[row] == [printed(figures["decision_square"][key]) for figures in cards]
