"""What the command ``anatomy`` prints of sub-circuits."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING

from steering.cli.anatomy.columns import number, site_cell

if TYPE_CHECKING:
    from steering.records.anatomy.summary import AnatomySummary


def show_circuit(found: AnatomySummary) -> None:
    """Print how few channels of each site of the trunk carry the cheese, beside what chance and norm give."""
    from steering.figures.anatomy.circuit_figures import circuit_caption, counted_channels

    print("\nchannels that carry the cheese, at the trunk's sites")
    print("(full: blindness with all of them; half, .9: how many give this share of it,")
    print("ranked by what each does alone; grdy, norm, rand: how many give half if taken")
    print("greedily, by norm, at random; gone: removed for all mazes to halve what the")
    print("cheese changes; left: of that; top: change of P(top-right) without the cheese)")
    print(f"{'site':<19}{'all':>4}{'full':>6}{'half (95% int.)':>17}{'.9':>4}", end="")
    print(f"{'grdy':>5}{'norm':>5}{'rand':>5}{'gone':>5}{'left':>5}{'top':>5}")
    for site in found.circuit or ():
        half, most, last = site.needed[0], site.needed[1], site.removed[-1]
        print(
            f"{site_cell(site.name, 19)}{site.channels:>4}{number(site.full.value):>6}"
            f"{counted_channels(half.ranked):>17}{number(most.ranked.value, 0):>4}{number(half.greedy.value, 0):>5}"
            f"{number(half.norm.value, 0):>5}{number(half.random.value, 0):>5}{len(last.channels):>5}"
            f"{number(last.left.value):>5}{number(last.region.value, 1):>5}"
        )
    print(textwrap.fill(str(circuit_caption(found)["circuit"]), 80))
