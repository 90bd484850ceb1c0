"""What the command ``anatomy`` prints of interference."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING

from steering.cli.anatomy.columns import number, ranged, site_cell

if TYPE_CHECKING:
    from steering.records.anatomy.summary import AnatomySummary


def show_interference(found: AnatomySummary) -> None:
    """Print the angles between vectors at the sites of the trunk, beside what chance predicts."""
    from steering.figures.anatomy.interference_figures import interference_caption, path_sites

    print("\nangles between the cheese vectors of two cells of a maze, at the trunk's sites")
    print("(cosine: root mean square; over random: 1 for random directions, 0: orthogonal;")
    print("effect., eff.: effective dimension; sums of 4: share that tell their vectors)")
    print(f"{'':<22}{'dimensions':>17}{'':>8}{'over random':>21}{'over':>6}{'sums':>6}")
    print(f"{'site':<22}{'all':>9}{'effect.':>8}{'cosine':>8}{'(95% interval)':>21}{'eff.':>6}{'of 4':>6}")
    for site in path_sites(found):
        own = site.interference
        four = next((part.right.value for part in site.sets if part.size == 4), None)
        print(
            f"{site_cell(site.name, 22)}{site.dimension:>9}{number(site.effective.value, 0):>8}"
            f"{number(own.measured.value, 3):>8}{ranged(own.ratio):>21}"
            f"{number(own.ratio_effective.value):>6}{number(four):>6}"
        )
    print(textwrap.fill(str(interference_caption(found)["interferes"]), 80))
    _show_means(found)


def _show_means(found: AnatomySummary) -> None:
    """Print the same of means over levels."""
    from steering.figures.anatomy.mean_figures import mean_caption, mean_sites

    both = mean_sites(found)
    if not both:
        return
    print(f"\nmeans over levels, of {both[0][1].cells} cells of the picture (recognised: nearest to its")
    print("own mean over the other half of the levels; same, other: cosine of two halves)")
    print(f"{'':<20}{'recognised':>19}{'two halves':>12}{'two cells':>11}{'over':>6}{'over':>6}{'sums':>6}")
    print(f"{'site':<20}{'(95% interval)':>19}{'same':>6}{'other':>6}{'cosine':>11}{'all':>6}{'eff.':>6}{'of 4':>6}")
    for site, mean in both:
        own = mean.raw[0]
        four = next((part.right.value for part in mean.sets if part.size == 4), None)
        print(
            f"{site_cell(site.name, 20)}{ranged(mean.recognised, 2):>19}{number(mean.same.value):>6}"
            f"{number(mean.other.value):>6}{number(own.measured.value, 3):>11}{number(own.ratio.value, 1):>6}"
            f"{number(own.ratio_effective.value):>6}{number(four):>6}"
        )
    print(textwrap.fill(str(mean_caption(found)["averaged"]), 80))
