"""What the command ``anatomy`` prints of modules."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING

from steering.cli.anatomy.columns import number, ranged, site_cell

if TYPE_CHECKING:
    from steering.records.anatomy.summary import AnatomySummary


def show_modules(found: AnatomySummary) -> None:
    """Print which channels cheese, walls and mouse move, at the sites of the trunk, and how modular the network is."""
    from steering.figures.anatomy.modules_words import modules_caption, path_sites, told_sentence

    assert found.modules is not None
    print("\nchannels that cheese, walls and mouse move, at the trunk's sites")
    print("(in use: channels of equal energy as concentrated; ratio: over those along")
    print("random axes; shared: same channels, 0 as by chance, 1 as two of one kind)")
    print(f"{'':<20}{'chan-':>6}{'cheese':>8}{'ratio':>20}{'walls':>7}{'mouse':>6}{'shared with':>12}")
    print(f"{'site':<20}{'nels':>6}{'in use':>8}{'(95% interval)':>20}{'ratio':>7}{'ratio':>6}{'walls':>6}{'mouse':>6}")
    for site in path_sites(found):
        cheese, walls, mouse = site.kinds
        print(
            f"{site_cell(site.name, 20)}{site.channels:>6}{number(cheese.channels.value, 1):>8}"
            f"{ranged(cheese.ratio, 2):>20}{number(walls.ratio.value):>7}{number(mouse.ratio.value):>6}"
            + "".join(f"{number(pair.above_chance.value):>6}" for pair in site.overlaps[:2])
        )
    network = found.modules.network
    said = modules_caption(found)
    print(textwrap.fill(str(said["aligned"]), 80))
    print(f"\nthe graph of {network.channels} channels and {network.layers} layers of weights")
    print(f"{'training samples':<22}{'modularity':>11}{'strengths kept':>24}{'shuffled freely':>23}")
    for name, each in [*((f"{s.samples:,}", s.modularity) for s in network.snapshots), ("agent", network.modularity)]:
        nulls = [f"{null.mean:.4f} (z {number(null.z, 1)})" for null in (each.kept, each.shuffled)]
        print(f"{name:<22}{each.value:>11.4f}{nulls[0]:>24}{nulls[1]:>23}")
    layers = "whole layers" if network.whole_layers else "not whole layers"
    newman = f"{network.newman:.4f}, shuffled {network.newman_shuffled.mean:.4f}"
    print(f"Newman's modularity {newman}: its communities are {layers}")
    for text in (str(said["modular"]), *(told_sentence(each) for each in network.separations[1:])):
        print(textwrap.fill(text, 80))
