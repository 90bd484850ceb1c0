"""What a row of a part depends on: measured again where that changes, and only there."""

from __future__ import annotations

from dataclasses import replace

import pytest

from steering.anatomy.part import ONCE, Asked, Once, Pass, basis_of, stored_as
from steering.anatomy.parts import MEASURED
from steering.cli.anatomy.command import SHOWN as PRINTED
from steering.figures.anatomy.parts import SHOWN
from steering.records.anatomy.summary import PARTS, AnatomySettings
from steering.reports.captions import FIGURES, SECTION_OF

SETTINGS = AnatomySettings(("x",), ("input",), (1, 2, 5), cells=64, states=64, seed=0, mode="hard")
FREE = Pass(int, lambda asked, maze, before: 0, {"revision": 1})


def test_a_part_is_measured_printed_and_shown_under_one_name() -> None:
    assert list(MEASURED) == list(PRINTED) == list(SHOWN) == list(PARTS)
    for name, part in SHOWN.items():
        assert part.tables.keys() <= part.figures.keys()
        for figure in part.figures:
            assert figure in FIGURES and figure.split("-")[0] == name and SECTION_OF[name] == "made"
    names = [stored_as(name, step) for name, part in MEASURED.items() for step in part.passes]
    assert len(set(names)) == len(names)


def test_a_row_of_one_level_outlives_other_levels_and_parts_but_no_other_seed_or_revision() -> None:
    basis = basis_of(FREE, SETTINGS)
    for same in (replace(SETTINGS, levels=(1,)), replace(SETTINGS, parts=("x", "y"))):
        assert basis_of(FREE, same) == basis
    for other in (replace(SETTINGS, seed=1), replace(SETTINGS, mode="easy"), replace(SETTINGS, sites=("input", "fc"))):
        assert basis_of(FREE, other) != basis
    assert basis_of(replace(FREE, basis={"revision": 2}), SETTINGS) != basis


def test_a_row_of_all_levels_is_of_these_levels_alone() -> None:
    fewer = replace(SETTINGS, levels=(1, 2))
    ranked, once = replace(FREE, of_all=True), Once(int, lambda asked, before: 0, {})
    for step in (ranked, once):
        assert basis_of(step, SETTINGS) != basis_of(step, fewer)
    network = replace(once, of_all=False)
    assert basis_of(network, SETTINGS) == basis_of(network, fewer)


@pytest.mark.parametrize("step", [replace(FREE, levels=lambda levels: levels[::2])])
def test_a_pass_measures_the_levels_it_picks_and_what_is_once_is_kept_once(step: Pass) -> None:
    asked = Asked(None, [None] * 3, [], SETTINGS)  # type: ignore[arg-type, list-item]
    assert list(step.work(asked, [])) == [1, 5]
    assert list(Once(int, lambda asked, before: 0, {}).work(asked, [])) == [ONCE]
    assert asked.samples.shape[1] == 3 and (asked.samples[0] == 1).all()
