"""What the command ``anatomy`` prints of sub-circuits."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING

from steering.cli.anatomy.columns import number
from steering.statistics.formatting import short_site_name

if TYPE_CHECKING:
    from steering.records.anatomy.summary import AnatomySummary


def show_circuit(found: AnatomySummary) -> None:
    """Print how few channels of each site of the trunk carry the cheese, beside what chance and norm give."""
    from steering.figures.anatomy.circuit_figures import circuit_caption, counted_channels

    print("\nchannels that carry the cheese, at the trunk's sites")
    print("(half, nine tenths: of the blindness that all channels give; norm, random: as")
    print("many for half, ranked by norm or drawn; left, change: of what the cheese")
    print("changes and of P(top-right) without it, channels removed for good to halve it)")
    print(f"{'':<19}{'channels':>9}{'full':>6}{'for half':>14}{'nine':>7}{'':>12}{'removed':>13}")
    print(f"{'site':<19}{'':>9}{'':>6}{'(95% int.)':>14}{'tenths':>7}{'norm':>5}{'rand.':>6}{'':>1}", end="")
    print(f"{'of':>4}{'left':>5}{'change':>7}")
    for site in found.circuit or ():
        half, most, last = site.needed[0], site.needed[1], site.removed[-1]
        print(
            f"{short_site_name(site.name):<19}{site.channels:>9}{number(site.full.value):>6}"
            f"{counted_channels(half.ranked):>14}{number(most.ranked.value, 0):>7}{number(half.norm.value, 0):>5}"
            f"{number(half.random.value, 0):>6}{len(last.channels):>5}{number(last.left.value):>5}"
            f"{number(last.region.value):>7}"
        )
    print(textwrap.fill(str(circuit_caption(found)["circuit"]), 80))
