"""The plain sentences of modules follow from the numbers, in each of their cases."""

from __future__ import annotations

import pytest

from steering.cli.anatomy.columns import number, site_cell
from steering.figures.anatomy.modules_words import (
    aligned_sentence,
    first_modular,
    modular_sentence,
    shared_sentence,
    told_sentence,
    training_sentence,
)
from steering.records.anatomy.modules import (
    PAIRS,
    KindEnergy,
    Modularity,
    ModulesSite,
    NetworkModules,
    Null,
    Overlap,
    Separation,
    Snapshot,
)
from steering.records.probes import Estimate

NONE = Estimate(None, None, None)


def about(value: float, width: float = 0.1) -> Estimate:
    return Estimate(value, value - width, value + width)


def site(name: str, ratio: Estimate, above: Estimate = NONE, p: float = 0.5) -> ModulesSite:
    kind = KindEnergy("cheese", 8, about(5.8), 19.3, ratio, NONE, None, NONE, None, NONE)
    pairs = tuple(Overlap(one, other, NONE, None, None, above, NONE, 0.1, p) for one, other in PAIRS)
    return ModulesSite(f"embedder.{name}", 1, (32, 4, 4), True, False, name, None, 32, (kind,), pairs)


def null(reached: float, mean: float = 0.03) -> Null:
    return Null(mean, mean, mean, 1.0, reached)


def modularity(kept: float, shuffled: float) -> Modularity:
    return Modularity(0.049, 5, null(kept, 0.034), null(shuffled, 0.044))


def test_where_vectors_lie_along_few_channels() -> None:
    few, even, unknown = (
        site("block2.maxpool", about(0.3)),
        site("relu3", about(1.0)),
        site("fc", Estimate(0.2, None, None)),
    )
    less, hardly = site("block1.conv", about(0.6)), site("block3.conv", about(0.8))
    assert aligned_sentence([]) == "No site behind the picture has cheese vectors."
    assert aligned_sentence([unknown]) == "Too few mazes to say whether the cheese vectors lie along few channels."
    assert aligned_sentence([hardly]).startswith("At none of 1 site")
    assert aligned_sentence([even]) == "At none of 1 site of the trunk do the cheese vectors lie along few channels."
    one = (
        "At 1 of 2 sites of the trunk the cheese vectors lie along few channels, at block2.maxpool: as if in 5.8 of 32,"
    )
    assert aligned_sentence([few, even]) == f"{one} along random axes in 19.3."
    assert "At 2 of 3 sites" in aligned_sentence([less, few, even])
    assert "most at block2.maxpool" in aligned_sentence([less, few, even])


def test_where_kinds_share_channels() -> None:
    sites = [
        site("same", NONE, about(0.5), 0.01),
        site("apart", NONE, about(-0.5), 0.99),
        site("neither", NONE, about(0.0), 0.01),
        site("few channels", NONE, about(0.5), 0.3),
        site("no interval", NONE, p=0.01),
    ]
    expected = (
        "The cheese and the mouse move the same channels more than by chance at 1 of 4, less than by chance at 1."
    )
    assert shared_sentence(sites, "mouse") == expected
    assert (
        shared_sentence([sites[-1]], "walls")
        == "Too few mazes to say whether the cheese and walls move the same channels."
    )


@pytest.mark.parametrize(
    ("kept", "shuffled", "says"),
    [
        (0.0, 0.0, "The channels form communities beyond chance ("),
        (0.0, 0.5, "The channels form communities beyond what their strengths explain, not beyond all shuffles ("),
        (0.5, 0.0, "The channels form communities beyond free shuffles, but their strengths explain them ("),
        (0.5, 0.5, "The channels form no communities beyond chance ("),
    ],
)
def test_whether_channels_form_communities(kept: float, shuffled: float, says: str) -> None:
    numbers = "modularity 0.049; with shuffled weights 0.034 if channels keep their strengths, else 0.044"
    for untrained, more in ((None, ""), (null(0, 0.017), "; untrained 0.017")):
        found = NetworkModules(514, 17, modularity(kept, shuffled), untrained, 0.5, null(1), True, (), ())
        assert modular_sentence(found) == f"{says}{numbers}{more})."


def test_from_when_on_they_do() -> None:
    series = [Snapshot(10**k, modularity(*each)) for k, each in enumerate([(1, 1), (0, 1), (1, 1), (0, 1), (0, 0)])]
    assert first_modular(series, True) == 1000 and first_modular(series, False) == 10_000
    assert first_modular(series[:3], True) is None
    said = "In training they do beyond what strengths explain from 1,000 samples on, beyond free shuffles"
    assert training_sentence(series) == f"{said} from 10,000 samples on."
    assert training_sentence(series[:4]) == f"{said} at no time to the end."
    assert training_sentence(()) == ""


def test_whether_communities_tell_channels() -> None:
    numbers = "(0.030 bits, by chance 0.005, p 0.001)."
    told = told_sentence(Separation("cheese", 496, 0.03, 0.005, 0.001))
    assert told == f"The communities tell which channels the cheese moves most {numbers}"
    assert told_sentence(Separation("walls", 496, 0.03, 0.005, 0.2)).startswith(
        "The communities do not tell which channels walls move most ("
    )
    assert told_sentence(Separation("mouse", 0, 0.0, 0.0, 1.0)) == "No channel was asked for the mouse."


def test_names_of_sites_fit_their_column() -> None:
    assert site_cell("embedder.block1.conv", 20) == "block1.conv         "
    assert site_cell("mlp_extractor.policy_net.0", 20) == "…actor.policy_net.0 "


def test_a_number_in_a_column_is_never_minus_zero() -> None:
    assert [number(value, 1) for value in (-0.04, -0.06, 0.0, None)] == ["0.0", "-0.1", "0.0", "-"]
