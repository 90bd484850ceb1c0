"""The sentences of the report: titles and captions of its figures and tables, to be filled with the numbers."""

from __future__ import annotations

import re
from collections.abc import Collection
from typing import Any

MARKS = """Free (shaded): the network is affine in the pixels there, so subtraction changes the picture only. Local
    (dotted frame): a unit sees only part of the picture. Open markers and hatched bars: the same experiment as a site
    before, or, of probes, an affine image of one. Pale bars: 95% bootstrap intervals over mazes."""
# name: (title, what one should see, in three sentences at most; docs/figures.md has the rest).
# Of each kind of pairs that is patched: figure, title, caption.
_PLANNED = (
    (
        "located",
        "Where in the picture EFFECT is known, layer by layer",
        """The part of the difference in the next move that one place of the picture carries. Departure: behind the
        last site where the source alone carries half. Handoff: before the first where the mouse's place carries
        more than the source.""",
    ),
    (
        "lengths",
        "Where EFFECT is known, by path length",
        """The same, by the steps from the mouse to what differs. A plan that spreads step by step leaves a near
        source at an earlier layer than a far one. It also reaches the mouse earlier.""",
    ),
    (
        "maps",
        "How EFFECT travels: block by block",
        """What single blocks of 8x8 pixels carry, around the source (above) and around the mouse (below). Mirrored:
        the mouse lies up and to the right of the source. Grey: fewer than a tenth of the pairs have the block;
        colours end at a fifth of the effect.""",
    ),
)
FIGURES = {
    "hero": (
        "",
        """Over the layers from the picture to the moves. Pale: 95% intervals over mazes (the controls: their
        range). Dotted: one half; grey line: what the walls within three cells tell.""",
    ),
    "readings": (
        "The boundary, reading by reading",
        """Each point lies between two sites: its statement holds up to there, or from there on. Bars are 95%
        bootstrap intervals over mazes. If decoding ends and planning begins in one place, the readings meet there.""",
    ),
    "blindness": (
        "Blindness over depth",
        """1: the policy moves as without the cheese; 0: it is as far from that as when left alone. The trick ends
        where the thick line falls below its dotted threshold, over {mazes} mazes. Green: competence, its threshold
        (dotted), and competence of the policy left alone (long dashes, {competence}).""",
    ),
    "weightings": (
        "Blindness by the distance to the cheese, and where the mouse goes",
        """Blindness by the cells between mouse and cheese, and with states weighed by visits. The curve of all
        states follows the distances where most of the cheese's effect lies. {spread}""",
    ),
    "thresholds": (
        "The boundary for every threshold",
        """The boundary by the blindness, or the competence, that counts as working. A vertical dotted line is the
        threshold used; the other one stays. A line that falls steeply in one place: the boundary does not depend on
        the threshold.""",
    ),
    "before-after": (
        "At the decision square, before and after, at {site}",
        """One point a maze. The published figure compares the first two boxes: the move to the cheese falls, the
        move to the top right rises. If subtraction only blinds, the second box also looks like the third.""",
    ),
    "decision": (
        "At the decision square, site by site",
        """Mean probability of each move on the last common square of the ways to the cheese and to the top right. A
        blind agent's bar looks like the last one. The bar of an agent that is not steered looks like the first.""",
    ),
    "positions": (
        "Where in the maze it works",
        """Blindness by the path length from {origin}, with its 95% interval. {exact} the depth at which it fades
        with distance. Starred: mostly states where no unit sees both mouse and cheese; greyed: fewer than 16 mazes.""",
    ),
    "fields-typical": (
        "What it does in a typical maze (level {level}, blindness {blindness})",
        """Mean step from every cell: left alone, subtracted at {site}, the difference, cheese removed. Circle: the
        start; square: the cheese; corners: the decision square; broken line: the top-right 5x5. Where subtraction
        only blinds, the second and the last panel agree.""",
    ),
    "fields-best": (
        "The maze where it works best (level {level}, blindness {blindness})",
        """Here the steered policy is closest to the one without cheese, relative to what the cheese changes. Only
        the half of the mazes where the cheese changes most are considered.""",
    ),
    "fields-worst": (
        "The maze where it works worst (level {level}, blindness {blindness})",
        """Here the steered policy is furthest from the one without cheese, relative to what the cheese changes.
        Only the half of the mazes where the cheese changes most are considered.""",
    ),
    **{
        f"detours-{goal}": (
            f"Does it plan its way to {said}?",
            """Pairs of mazes that differ in two far cells. The first move of the shortest way changes (detours) or
            stays (idle changes); bars: share whose most likely move is right in both. Grey lines: readers without a
            network that see the maze only so many steps far.""",
        )
        for goal, said in (("cheese", "the cheese"), ("corner", "the top-right corner"))
    },
    **{
        f"{figure}-{kind}-{goal}": (title.replace("EFFECT", said), caption)
        for kind, goal, said in (
            ("cheese", "cheese", "the cheese"),
            ("detour", "cheese", "a detour to the cheese"),
            ("detour", "corner", "a detour to the corner"),
        )
        for figure, title, caption in _PLANNED
    },
    "readouts": (
        "What can be read of the way to the cheese at the mouse's own place",
        """Above: next moves that linear readouts name correctly; dotted: readers that see so many steps. Below:
        pairs of mazes that differ in two far cells ({pairs}); a reader of the surroundings follows none. Dashed:
        the first site whose 3x3 units follow more detours than such readers and the pixels.""",
    ),
    "learning": (
        "How many frames it takes to learn a readout",
        """The same readouts by the number of frames learned from. Dotted: boosted trees that see the walls within
        so many cells of the mouse, from as many frames. Four times as many frames still gain more than .01 here:
        {rising}.""",
    ),
    "written": (
        "Whether what a readout of the next move reads is used",
        """A free move that the policy does not make is written at one site, in {branches} branches of
        {written_mazes} mazes. Coloured: its rise beyond every control of the same norm (strength 1: that of the
        cheese vector); grey: next moves read. Read, but not raised by half at any strength: {unused}.""",
    ),
    "probes": (
        "What can be read from the activations",
        """Accuracy of probes on held-out mazes; dotted: shuffled labels; dashed: a look around the mouse. The
        second panel has only frames where the corner asks for another move. Lines: where the next move appears
        beyond pixels and surroundings, and where the cell is lost.""",
    ),
    "representation": (
        "Whether the cheese vector is the same everywhere",
        """Cheese vectors taken elsewhere in the maze, against the one taken at the start (1: the same cosine and
        norm). Line: up to where half of the cheese's effect is that of the start. Blank: fewer than 16 mazes have
        such states.""",
    ),
    "interference": (
        "How far the vectors of different cells are from orthogonal",
        """Cosines between the cheese vectors of two cells of a maze, and share of random sums of vectors that tell
        which vectors are in them. Grey: random directions, in as many dimensions as the site has (dotted) and as its
        activations use (dashed). {interferes}""",
    ),
    "interference-means": (
        "Whether a cell has one vector over levels, and how close those of two cells lie",
        """Means over levels of the cheese vectors of {averaged_cells} cells of the picture. Above, violet: cosine of a
        cell's two means; grey: of two cells'. Below, grey: random directions, in as many dimensions as the site has
        (dotted) and as its activations use (dashed). {averaged}""",
    ),
    "analogy": (
        "Whether a cheese of another maze, added, is the cheese here",
        """How often B with cheese is nearest to 'A with cheese, less A, plus B', of all pictures of B and the three
        inputs (Euclidean). Grey: B alone, or with a random vector as long. Middle: what A's vector makes of the policy
        in B; 1: the same as the cheese, 0: nothing. {analogies}""",
    ),
    "circuit": (
        "How few channels carry the cheese",
        """Above: share of a site's channels in which subtraction gives half of the blindness that all channels give,
        ranked on one half of the mazes and measured on the other. Below: what removing channels for all mazes costs.
        {circuit}""",
    ),
    "circuit-curves": (
        "What growing sets of channels do",
        """The vector subtracted in the channels ranked first on one half of the mazes: blindness on the other half, and
        competence on up to 12 of its mazes. At most six sites are drawn; the table has all. {curves}""",
    ),
    "modules": (
        "Which channels cheese, walls and mouse move",
        """Above: channels in use, over those along random axes; below 1 the vectors lie along few channels. Below:
        whether two kinds lie in the same channels. {aligned}""",
    ),
    "modules-training": (
        "Whether the channels form communities, over training",
        """Modularity of the graph of kernels: weight within communities, less what strengths of channels in each layer
        predict. Grey: the network's own weights shuffled within each layer. {modular}""",
    ),
    "compare-curves": (
        "",
        """One colour a run, over the same {mazes} mazes. Dotted: the threshold of the boundary; pale: 95%
        intervals. An open marker: the boundary has a caveat, named under Boundaries.""",
    ),
    "compare-differences": (
        "Differences of blindness",
        """Blindness of each run less that of the run after the minus sign, paired by maze. Bars: simultaneous 95%
        bands over the distinct sites. Where a band leaves out 0 the runs clearly differ.""",
    ),
    "compare-probes": (
        "What probes read, run by run",
        """Over the {probed} mazes that all runs' probes share; dashed: what a look around the mouse tells. Probes
        of whole maps are short of frames, so the site where the upper lines rise says nothing of depth. Bottom: the
        part of the cheese's effect on the activations that the vector does not explain.""",
    ),
    "compare-detours": (
        "Detours followed, run by run",
        """Share of pairs whose most likely move is right in level and twin. A look around the mouse shows the same
        in both mazes. So only detours followed are evidence of planning.""",
    ),
    "compare-carried": (
        "Where a detour is known, run by run",
        """Part of the difference between level and twin that comes with the activations of one place. The changed
        walls have one tile around them. Dotted: half of the effect.""",
    ),
    "compare-channels": (
        "Do the agents use the same channels?",
        """Channels that give half of the blindness, of each run and of the first one. Above, channels count as the same
        by number; below, by their activations. Dotted: random sets of the same sizes.""",
    ),
    "compare-readouts": (
        "What is read at the mouse, run by run",
        """Share of detour pairs whose next moves a linear readout of the 3x3 units around the mouse names
        correctly. Both must be right: in the level and in the twin.""",
    ),
    "development": (
        "Over training",
        """Top: blindness by site at each snapshot, and the boundary with its 95% interval (open markers: the cheese
        hardly draws the agent). Middle: how well the policy does, and its competence at the boundary, or at {first}
        where that is nowhere (open markers). Bottom: {bottom}""",
    ),
}
TABLE = """P(cheese): the cheese is eaten within {horizon} moves. Competence: P(top-right 5x5) relative to the level
    without cheese. It falls by damage, and also where the agent sees the cheese again. Seeing again, it falls to
    that of the clean row. Near 1 its interval is too narrow. Interaction: the part of the cheese's effect on the
    activations that the vector does not explain. It is taken where a unit can see mouse and cheese at once.
    {columns} Other columns: blindness under a control, and of the cheese moved. Controls: noise of the same norm;
    the vector added; the vector of a level with its cheese elsewhere, or in the same place. The cheese moved is
    compared with the cheese really there. Sites that share an experiment differ by an affine map only. Cheese
    vectors give the same policy there, so these sites count once. Free: affine in the pixels, so subtraction there
    changes the picture only. Local: a unit sees only part of the picture."""
EFFECTS = """Differences under each condition, paired by maze. They are against the policy left alone (clean) and
    against the cheese removed (no_cheese). Interval: 95%, BCa bootstrap, of the mean difference. Equal: the mazes
    without a difference, which the test leaves out. p: Wilcoxon signed-rank, two-sided. Holm: adjusted over the
    distinct experiments of one condition, reference and outcome. P(larger): the share of mazes where the value is
    larger than the reference, ties half (probability of improvement)."""
READINGS = """Each kind of evidence has its 95% bootstrap interval over mazes. The decoding kind does not use
    subtraction. The representational kind is what subtraction leaves of the cheese in the activations. Up to: the
    last site where the statement holds. From: the first. The rules stand under Rules, methods and settings. Last
    column: the same for the shipped agent {control}, which was taught to plan nothing. What it has too is no
    evidence of planning."""
COMPARED = """All runs are cut to the mazes and trunk sites that all of them have. The same bootstrap resamples of
    mazes serve all, so differences are paired. Two runs clearly differ at a site if its simultaneous 95% band
    leaves out 0. The bands come from a studentized bootstrap of the largest deviation over the distinct sites, for
    each pair of runs. P-values are Holm-adjusted over the whole list. Boundary: the deepest trunk site up to which
    blindness is at least {blindness:g} and competence at least {competence:g}. Seed {seed}."""
COMPARED_WEIGHTINGS = """Visits: states count by how often the policy without cheese is there. The other rows have
    only the states with so many cells between mouse and cheese. That is the larger of columns and rows; walls do
    not count. Effective number: of equal mazes over which the cheese's effect would be spread as widely."""
COMPARED_READINGS = """The causal reading is of this page's mazes and sites. The others are of the {mazes} mazes and
    {sites} sites that all runs' probes share, with the same resamples. Probes learned from all levels of their own
    run. Readouts at the mouse are of each run's own pairs. In brackets: 95% bootstrap intervals over mazes. Those
    of the agents' mean curves are over agents and mazes; of two or three agents they are rough."""
COMPARED_PLANNING = """Detours followed: share of pairs whose most likely move is right in level and twin (95%
    interval over mazes). Looks ahead: the longest path length up to which detours are followed beyond idle changes
    and a blind reader. Idle changes: the share right where the right move stays. Against the first run: difference
    in detours followed, paired by maze. As good as the reader of: the fewest steps that a planner without a network
    must see to be right as often. Departure: the last site where the changed walls alone carry half of a detour's
    effect. Handoff: the first where the mouse's place carries more than they do. Arrival: the first where it
    carries half of the most it ever does. Spread: no handoff, and from there on the changed walls alone carry less
    than half."""
COMPARED_CHANNELS = """Each agent has a set of channels at each site: those that give half of its blindness. The numbers
    are channels in both sets over channels in either (Jaccard), mean over the sites behind the picture. Channels are
    ranked on the same {levels} mazes in every run, and intervals are over these. By number: agents that did not begin
    with the same weights number channels in no common order, so there chance is all to expect. Matched: one-to-one, by
    the largest correlation of activations in the same states. Random sets: of the same sizes, mean. Itself: the agent's
    own sets from two halves of the mazes. Own number: share of channels matched with the channel of their own number.
    Correlation: of matched channels, on mazes that did not match them. p: chance of random sets to share as many."""
# The sections of figures: anchor, title, what is in it.
SECTIONS = {
    "trick": ("Does the trick work?", "blindness by layer, distance, position and threshold; the table of sites"),
    "place": ("Does it plan, and where is the cheese's effect?", "detours, and what each place in the picture carries"),
    "read": ("Can the next move be read?", "readouts at the mouse, probes, and what comes of writing a move"),
    "made": ("What is the cheese vector made of?", "angles between vectors of cells, analogies, channels, modules"),
    "examples": ("Three mazes", "where subtraction works as usual, best and worst"),
}
# The section of a figure by the first part of its name; without an entry it is about the trick.
SECTION_OF = {
    **dict.fromkeys(("detours", "located", "lengths", "maps"), "place"),
    **dict.fromkeys(("readouts", "learning", "written", "probes", "representation"), "read"),
    **dict.fromkeys(("interference", "analogy", "circuit", "circuit-curves", "modules", "modules-training"), "made"),
    **{"fields": "examples", "readings": "readings", "hero": "hero"},
}
FREE = "free (affine in the pixels)"
BY_COMPETENCE = "competence sets it; blindness alone holds up to {site}"
ARM = "{run.name}: sha256 {run.sha256}; coefficient {run.coefficient:g}; seed {run.seed}; vectors taken: {run.vector}."
COMPARED_SETTINGS = "Horizon {horizon} moves; mode {mode}."
MANY_READINGS = "The readings of each of so many runs are in compare.json."
BY_SITE = "Blindness with its 95% bootstrap interval over the mazes, then competence."
BY_SITE_MANY = "Blindness; intervals and competence are in compare.json."
MANY = "Many runs: the differences of each to the first are in compare.json."
NOTHING = "No trunk site was swept under subtraction."
RULE = "Rule: {rule}. Result: {site}, interval {low} to {high}."
CHANGE = """Change-point of the blindness curve: last site before the drop {site}, interval {low} to {high}. The
    curve is split into two constant pieces over the distinct experiments. It is named where mean blindness clearly
    falls by {drop:g} or more."""
ALONE = "By blindness alone: up to {site}, interval {low} to {high}."
SPREAD = """The cheese's effect is spread as over {effective:.0f} equal mazes; the {of} with most of it hold
    {largest:.0%}."""
NO_NEARNESS = """An earlier version made this run, so the distances are missing; its command, typed again, adds
    them."""
WEIGHTINGS = """The same rule with the states weighed in other ways. {ends}."""
MOVED = """With the cheese moved to another cell instead of removed, blindness reaches the threshold up to {site},
    interval {low} to {high}."""
CONTROL = """Control {condition}: blindness {there} at the boundary. Its most among the sites that are not free:
    {most} at {where}. Change-point of its curve: {change}."""
CELL = """The cheese's cell can be read linearly from {first} on (95% interval {first_low} to {first_high}). It is
    read best at {best} ({best_low} to {best_high})."""
NO_CELL = "The cheese's cell cannot be read linearly at any site, better than by chance."
REPRESENTED = "Rule of the representational reading: {rule}."
PROBE_RULES = "Rules of the probes. Next move: {move}. Cell: {cell}."
NO_MOVES = "not asked, as every site may be affine in the pixels"
SETTINGS = """Checkpoint {name}, sha256 {sha256}; mode {mode}; horizon {horizon} moves; coefficients {coefficients};
    seed {seed}; vectors taken: {vector}. Answer, boundary, effects and figures are of the coefficient {first}
    unless another is named. Levels: with a decision square and the cheese outside the top-right 5x5."""
PROBED = """Probes: {mazes} mazes, {states} states of each ({frames} frames). No maze is both fitted on and asked
    about. {shuffles} draws of shuffled labels; seed {seed}; {versions}."""
EXACT = """Every outcome is exact. The network is run once for each position and facing of the mouse, on procgen's
    own picture of it. The outcome follows from the Markov chain of its moves. Intervals are over mazes (2,000
    bootstrap samples, the same for all sites)."""
ALL_SITES = """Subtraction at all distinct trunk sites at once shares the coefficient {row.coefficient:g} among
    them. It gives blindness {row.blindness:.3f} ({row.blindness_low:.3f} to {row.blindness_high:.3f}) and
    competence {row.competence:.3f}."""


def as_sentences(rule: str) -> str:
    """Return the rule of a reading as sentences of their own."""
    parts = re.sub(r" \((margins: [^)]*)\)", r"; \1", rule).split("; ")
    return ". ".join([parts[0], *(part[:1].upper() + part[1:] for part in parts[1:])])


def sections(shown: Collection[str]) -> dict[str, tuple[str, str]]:
    """Return title and content of the sections of a report, the first one and those with figures."""
    return {name: told for name, told in SECTIONS.items() if name == "trick" or name in shown}


def fill(text: str, **values: Any) -> str:
    """Return the text on one line, its blanks filled."""
    return " ".join(text.split()).format(**values)
