"""What the command ``anatomy`` prints of interference."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING

from steering.cli.anatomy.columns import number, ranged
from steering.statistics.formatting import short_site_name

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
            f"{short_site_name(site.name):<22}{site.dimension:>9}{number(site.effective.value, 0):>8}"
            f"{number(own.measured.value, 3):>8}{ranged(own.ratio):>21}"
            f"{number(own.ratio_effective.value):>6}{number(four):>6}"
        )
    print(textwrap.fill(str(interference_caption(found)["interferes"]), 80))
