"""What the command ``anatomy`` prints of analogies."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING

from steering.cli.anatomy.columns import number, ranged, site_cell

if TYPE_CHECKING:
    from steering.records.anatomy.summary import AnatomySummary


def show_analogy(found: AnatomySummary) -> None:
    """Print how often analogies hold at the sites of the trunk, beside the baselines."""
    from steering.figures.anatomy.analogy_figures import analogy_caption, analogy_sites, ranked
    from steering.records.anatomy.analogy_site import ALONE, CENTRED, GUESS, RANDOM

    sites = analogy_sites(found)
    if not sites:
        print(f"\nanalogies: {analogy_caption(found)['analogies']}")
        return
    print("\nanalogies, 'A with cheese, less A, plus B': share of targets that are nearest,")
    print("at the trunk's sites (Euclidean; cosine: less the mean; alone, random: guess B")
    print("alone, or with a random vector; effect: on the policy, 1: as the cheese)")
    print(f"{'':<19}{'effect.':>8}{'inputs included':>21}{'inputs left out':>24}")
    print(f"{'site':<19}{'dimens.':>8}{'(95% interval)':>21}{'':>6}{'cosine':>7}{'alone':>6}{'rand.':>6}{'effect':>7}")
    for site in sites:
        parts = [ranked(site, guess) for guess in (GUESS, ALONE, RANDOM)]
        centred = ranked(site, GUESS, CENTRED)
        own, alone, random = (part.top_excluding.value for part in parts)
        print(
            f"{site_cell(site.name, 19)}{number(site.effective.value, 0):>8}{ranged(site.holds, 2):>21}"
            f"{number(own):>6}{number(centred.top_excluding.value):>7}{number(alone):>6}{number(random):>6}"
            f"{number(site.behaviour.value):>7}"
        )
    print(textwrap.fill(str(analogy_caption(found)["analogies"]), 80))
