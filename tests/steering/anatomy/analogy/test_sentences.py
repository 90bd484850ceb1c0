"""The sentences about analogies and mean vectors: each case of the numbers has its words."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from steering.figures.anatomy.analogy_figures import depth_or_dimension, what_the_policy_makes, where_it_holds
from steering.figures.anatomy.mean_figures import mean_sentence
from steering.records.anatomy.analogy_site import (
    DEPTH,
    DIMENSIONS,
    EFFECTIVE,
    GUESSES,
    MEASURES,
    AnalogySite,
    Group,
    Nearest,
    Ranked,
    Trend,
)
from steering.records.anatomy.interference_site import Compared, InterferenceSite, MeanVectors
from steering.records.probes import Estimate

NONE = Estimate(None, None, None)


def near(value: float, spread: float = 0.1) -> Estimate:
    return Estimate(value, value - spread, value + spread)


def sites(including: Sequence[float], excluding: Sequence[float]) -> list[AnalogySite]:
    return [
        AnalogySite(
            name=f"embedder.s{k}",
            depth=k,
            shape=(4,),
            trunk=True,
            affine=False,
            equivalence_class=f"embedder.s{k}",
            receptive_field=None,
            dimension=4,
            effective=near(3.0),
            analogies=10,
            candidates=20.0,
            ranks=tuple(
                Ranked(guess, measure, near(one), near(two), near(1.0), near(1.0), near(0.0))
                for guess in GUESSES
                for measure in MEASURES
            ),
            nearest=Nearest(near(one), NONE, NONE, NONE),
            left=NONE,
            distances=(),
            same_start=Group(0, None, 0, NONE, NONE),
            behaviour=near(0.5),
            behaviour_other=NONE,
        )
        for k, (one, two) in enumerate(zip(including, excluding, strict=True))
    ]


@pytest.mark.parametrize(
    ("including", "excluding", "said", "last"),
    [
        ([0.9, 0.8], [0.9, 0.9], "at every site", 1),
        ([0.9, 0.3, 0.9], [0.9, 0.9, 0.9], "up to s0, the inputs among the candidates (0.90 there, 0.30 behind it)", 0),
        ([0.1, 0.1], [0.9, 0.2], "up to s0 only if the inputs are left out (0.90 there, 0.10 with them)", 0),
        ([0.1, 0.9], [0.2, 0.9], "fail from the first site on, even with the inputs left out", None),
    ],
)
def test_where_most_analogies_hold(including: list[float], excluding: list[float], said: str, last: int | None) -> None:
    found = sites(including, excluding)
    words, site = where_it_holds(found)
    assert said in words and site is (None if last is None else found[last])


@pytest.mark.parametrize(
    ("depth", "effective", "said"),
    [
        (near(-0.9), near(0.5), "with depth, and more so where fewer dimensions are in use: many do not spoil them"),
        (near(-0.9), near(0.0), "with depth; more dimensions in use do not spoil them"),
        (near(-0.9), near(-0.9), "with depth, and also where more dimensions are in use"),
        (near(0.0), near(-0.9), "where more dimensions are in use, not with depth"),
        (near(0.0), near(0.9), "where fewer dimensions are in use; at equal dimensions depth makes no clear"),
        (near(0.0), near(0.0), "cannot be told"),
        (NONE, near(0.0), "too few sites or mazes"),
    ],
)
def test_what_they_fail_with(depth: Estimate, effective: Estimate, said: str) -> None:
    trends = [Trend(DEPTH, NONE, depth), Trend(DIMENSIONS, NONE, NONE), Trend(EFFECTIVE, NONE, effective)]
    assert said in depth_or_dimension(trends)


@pytest.mark.parametrize(
    ("value", "said"),
    [(near(0.5), "has 50% of the effect"), (near(-0.5), "further from"), (near(0.0), "no clear step towards")],
)
def test_what_the_policy_makes_of_it(value: Estimate, said: str) -> None:
    (site,) = sites([0.9], [0.9])
    assert said in what_the_policy_makes(AnalogySite(**{**vars(site), "behaviour": value}))
    assert what_the_policy_makes(None) == ""


def means(repeats: Sequence[float]) -> list[tuple[InterferenceSite, MeanVectors]]:
    found = []
    for k, (site, value) in enumerate(zip(sites(repeats, repeats), repeats, strict=True)):
        compared = Compared("rms", near(0.2), 0.1, near(2.0 + k), 0.2, near(1.0))
        mean = MeanVectors(30, 20.0, near(0.9), near(0.1), near(value), (compared,), (), (), ())
        facts = {name: getattr(site, name) for name in ("name", "depth", "shape", "trunk", "affine")}
        facts |= {"equivalence_class": site.name, "receptive_field": None}
        own = InterferenceSite(**facts, dimension=4, effective=NONE, cells=3.0, could_be_orthogonal=True, bound=None, bound_effective=None, raw=(), centred=(), distances=(), sets=(), means=mean)  # fmt: skip  # noqa: E501
        found.append((own, mean))
    return found


@pytest.mark.parametrize(
    ("repeats", "said"),
    [
        ([0.9, 0.8, 0.1], "up to s1 (0.80 there). There the cosine of two cells is 3.0 times"),
        ([0.9, 0.8], "at every site (0.80 there)"),
        ([0.1, 0.9], "No site has a vector for most cells that is the same over levels"),
        ([], "No two cells are free in enough levels"),
    ],
)
def test_whether_a_cell_has_one_vector_over_levels(repeats: list[float], said: str) -> None:
    assert said in mean_sentence(means(repeats))
