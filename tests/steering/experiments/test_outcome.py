"""The table of outcome columns: one for each outcome, and what is derived from it."""

from __future__ import annotations

import dataclasses

from steering.experiments.outcome import ATTRACTION, COMPARED, LABELS, OUTCOMES, Outcome, shown_on


def test_each_outcome_has_one_column_in_the_order_of_the_csv() -> None:
    assert [column.name for column in OUTCOMES] == [field.name for field in dataclasses.fields(Outcome)]
    assert all(column.label for column in OUTCOMES)
    assert {column.across_worlds for column in OUTCOMES} <= {"", *LABELS}


def test_what_is_shown_tested_and_compared_stands_in_its_order() -> None:
    tested = {
        against: [column.name for column in OUTCOMES if against in column.tested_against]
        for against in ("clean", "no_cheese")
    }
    assert tested["no_cheese"] == ["p_cheese_cell", "p_region_first", "p_cheese_decision", "p_corner_decision"]
    assert tested["clean"] == [*tested["no_cheese"], "tv_no_cheese"]
    assert COMPARED == ("p_cheese", "p_cheese_decision", "p_region"), "the order in which intervals are drawn"
    assert ATTRACTION == ("p_cheese_cell", "p_cheese_decision")
    assert [column.label for column in shown_on("console")] == ["P(cheese)", "P(cheese | decision)"]
    labels = ["P(cheese)", "P(top-right 5x5)", "P(cheese | decision)", "P(top right | decision)"]
    assert [column.label for column in shown_on("site table")] == labels
