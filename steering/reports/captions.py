"""The sentences of the report: titles and captions of its figures and tables, to be filled with the numbers."""

from __future__ import annotations

from typing import Any

MARKS = """Free (shaded): affine in the pixels, so success there is subtraction in the picture. Local (dotted frame): a
    unit sees only part of the picture. Open markers and hatched bars: the same experiment as a site before, or, of
    probes, an affine image of one. Pale bars: 95% bootstrap intervals over mazes."""
# name: (title, what one should see, in three sentences at most; docs/figures.md has the rest).
# Of each kind of pairs that is patched: figure, title, caption.
_PLANNED = (
    (
        "located",
        "Where in the picture EFFECT is known, layer by layer",
        """The part of the difference in the next move that comes with the activations of one place of the picture.
        Departure: behind the last site where the source alone carries half; handoff: before the first where the
        mouse's place carries more than the source. Where no line is, there is no such site.""",
    ),
    (
        "lengths",
        "Where EFFECT is known, by path length",
        """As above, pairs apart by the steps from the mouse to what differs. If a plan spread step by step, what is
        nearer would leave the source, and reach the mouse, at an earlier layer.""",
    ),
    (
        "maps",
        "How EFFECT travels: block by block",
        """What single blocks of 8x8 pixels carry at each site, around the source (above) and around the mouse (below),
        mirrored so that the mouse is up and to the right of the source. Grey blocks: fewer than a tenth of the pairs
        have them; colours end at a fifth of the effect.""",
    ),
)
FIGURES = {
    "hero": (
        "",
        """Over the layers from the picture to the moves. Shaded: 95% intervals over mazes (the controls: their range);
        dotted: one half; grey line: what walls within three cells tell.""",
    ),
    "readings": (
        "The boundary, reading by reading",
        """Each point is a place between two sites: up to there, or from there on, what stands beside it holds; bars are
        95% bootstrap intervals over mazes. If the network stops decoding the picture and starts planning in one place,
        the readings meet there.""",
    ),
    "blindness": (
        "Blindness over depth",
        """1: the policy moves as without the cheese; 0: it is as far from that as when left alone (points below -1 are
        cut off). Look for where the thick line falls below its dotted threshold while the grey controls stay low, over
        {mazes} mazes. Green: competence, its threshold (dotted), and what it is left alone (long dashes, {competence}).
        """,
    ),
    "weightings": (
        "Blindness by the distance to the cheese, and where the mouse goes",
        """Blindness by the cells between mouse and cheese, and with states weighed by visits; dotted: the threshold of
        the boundary. All states together are the mean of the distances, so where the cheese's effect lies next to it,
        that curve is about what happens there. {spread}""",
    ),
    "thresholds": (
        "The boundary for every threshold",
        """Where the boundary lies if another blindness counts as working (the other threshold stays), and if another
        competence does. A line that falls steeply in one place is a boundary that does not depend on the threshold; a
        level line is a threshold that decides nothing.""",
    ),
    "before-after": (
        "At the decision square, before and after, at {site}",
        """One point a maze. The published figure compares the first two: the move to the cheese falls, that to the top
        right rises. If subtraction only blinds, the second box also looks like the third.""",
    ),
    "decision": (
        "At the decision square, site by site",
        """Mean probability of each move on the last square shared by the shortest paths to the cheese and to the
        top-right cell. A blind agent's bar looks like the last one, an agent's that is not steered like the first.""",
    ),
    "positions": (
        "Where in the maze it works",
        """Blindness by the path length from {origin}, with its 95% interval. {exact} is to be seen is at which depth
        it fades with distance. Starred: mostly states where no unit sees both mouse and cheese; greyed: fewer than 16
        mazes.""",
    ),
    "fields-typical": (
        "What it does in a typical maze (level {level}, blindness {blindness})",
        """Mean step from every cell: left alone, subtracted at {site}, the difference, and with the cheese removed.
        Circle: the start; square: the cheese; corners: the decision square; broken line: the top-right 5x5. Where
        subtraction only blinds, the second and the last panel agree.""",
    ),
    "fields-best": (
        "The maze where it works best (level {level}, blindness {blindness})",
        """Of the half of the mazes where the cheese changes most, the one where the steered policy is closest to the
        one without cheese, relative to what the cheese changes.""",
    ),
    "fields-worst": (
        "The maze where it works worst (level {level}, blindness {blindness})",
        """Of the half of the mazes where the cheese changes most, the one where the steered policy is furthest from
        the one without cheese, relative to what the cheese changes.""",
    ),
    **{
        f"detours-{goal}": (
            f"Does it plan its way to {said}?",
            """Pairs of mazes that differ in two far cells, where the first move of the shortest way is another one
            (detours) or stays (idle changes): share whose most likely move is right in both. Grey: readers without a
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
        """Above: next moves told by linear readouts of the units around the mouse and of the whole site, beside readers
        without a network that see so many steps (dotted). Below: pairs of mazes that differ in two far cells
        ({pairs}), of which a reader of the surroundings is right in both of none. Dashed: the first site whose 3x3
        units follow more detours than such readers, and than the pixels do.""",
    ),
    "learning": (
        "How many frames it takes to learn a readout",
        """The same readouts by the number of frames learned from; dotted: boosted trees that see the walls within so
        many cells of the mouse, from equally many frames. Where four times as many frames still gain more than .01,
        more is there than is told: {rising}.""",
    ),
    "written": (
        "Whether what a readout of the next move reads is used",
        """The direction of a free move that the policy does not make is added at one site, in {branches} branches of
        {written_mazes} mazes; strength 1 is the norm of the cheese vector. Coloured: the rise of that move beyond every
        control of the same norm; grey: next moves told rightly. Read, but the readout's direction raises the move by
        half at no strength: {unused}.""",
    ),
    "probes": (
        "What can be read from the activations",
        """Accuracy on held-out mazes of probes at every trunk site; dotted: the same from shuffled labels; dashed: a
        look around the mouse without any network. The second panel asks only about frames where the corner asks for
        another move. Lines: where the next move appears beyond pixels and surroundings, and where the cell is lost.""",
    ),
    "representation": (
        "Whether the cheese vector is the same everywhere",
        """Cosine and norm ratio of cheese vectors taken elsewhere in the maze to the one taken at the start: 1 is the
        same vector. Line: up to where half of the cheese's effect is that of the start. Blank below: fewer than 16
        mazes have such states.""",
    ),
    "compare-curves": (
        "Blindness over depth, run by run",
        """One line a run, over the same {mazes} mazes; dotted: the threshold of the boundary. Where a line falls is
        where subtraction stops acting like removing the cheese (points below -1 are cut off).""",
    ),
    "compare-differences": (
        "Differences of blindness",
        """Second minus first, paired by maze. Bars: simultaneous 95% bands over the distinct sites, so where one
        leaves 0 out the runs clearly differ.""",
    ),
    "compare-probes": (
        "What probes read, run by run",
        """Over the {probed} mazes that all runs' probes share; dashed: what a look around the mouse tells. Whole maps
        are read here, from few frames, so where the two upper lines rise says nothing of depth. Bottom: the part of the
        cheese's effect on the activations that the vector taken at the start does not account for.""",
    ),
    "compare-detours": (
        "Detours followed, run by run",
        """Share of detour pairs whose most likely move is right in level and twin, and of idle pairs. Whoever looks
        around the mouse sees the same in both mazes, so only detours followed are evidence of planning.""",
    ),
    "compare-carried": (
        "Where a detour is known, run by run",
        """Part of the difference between level and twin that comes with the activations of the changed walls and one
        tile around (source, solid), and of the mouse's place (mouse, dashed).""",
    ),
    "compare-readouts": (
        "What is read at the mouse, run by run",
        """Share of detour pairs whose next move a linear readout of the 3x3 units around the mouse tells rightly in
        level and twin.""",
    ),
    "development": (
        "Over training",
        """Top: blindness by site at each snapshot, and the boundary with its 95% interval (open markers: the cheese
        hardly draws the agent). Middle: how well the policy does, and its competence at the boundary or, where that is
        nowhere (open markers), at {first}. Bottom: {bottom}""",
    ),
}
TABLE = """P(cheese): the cheese is eaten within {horizon} moves. Competence: P(top-right 5x5) relative to the level
    without cheese; it falls by damage, and also where the agent sees the cheese again, down to that of the clean
    row; near 1 read it as "not seen to break", not by its interval. Interaction: the part of the cheese's effect on
    the activations that the vector does not account for, where a unit can see mouse and cheese at once (each state
    counts once, so large mazes count more; the probes' table takes equally many states of each maze). {columns} Other
    columns: blindness under a control (noise of the same norm; the vector added; the vector of a level with its
    cheese elsewhere, or in the same place), and of the cheese moved, against the policy with the cheese really
    there. Sites that share an experiment differ by an affine map only: for cheese vectors they give the same policy
    and count once. Free: affine in the pixels, so subtraction there is subtraction in the picture. Local: a unit
    sees only part of it."""
EFFECTS = """Differences under each condition, paired by maze, against the policy left alone (clean) and against the
    cheese removed (no_cheese). Interval: 95%, BCa bootstrap, of the mean difference. Equal: of the mazes, those that do
    not differ; the test leaves them out. p: Wilcoxon signed-rank, two-sided; Holm: adjusted over the distinct
    experiments of one condition, reference and outcome. P(larger), the probability of improvement: the share of mazes
    where the value is larger than the reference, ties half."""
READINGS = """Each kind of evidence with its 95% bootstrap interval over mazes. The decoding one has no part
    in subtraction; the representational one is what subtraction leaves of the cheese, in the activations. Up to:
    the last site where it holds; from: the first where it does. Their rules are under The boundary. Last column: the
    same readings of the shipped agent {control}, which was taught to plan nothing; what it has as well is no evidence
    of planning."""
COMPARED = """All runs are cut to the mazes and trunk sites that all of them have; the same bootstrap resamples of
    mazes serve all, so differences are paired. Two runs clearly differ at a site if its simultaneous 95% band leaves
    out 0: a studentized bootstrap of the largest deviation over the distinct sites, for each pair of runs by itself.
    P-values are Holm-adjusted over all of the list. Boundary: deepest trunk site up to which blindness is at least
    {blindness:g} and competence at least {competence:g}. Seed {seed}."""
COMPARED_WEIGHTINGS = """The rule with the states of a maze weighed by how often the policy without cheese is there
    (visits), and of the states with so many cells between mouse and cheese alone (the larger of columns and rows;
    walls do not count). Effective number: of equal mazes over which the cheese's effect would be spread as widely."""
COMPARED_READINGS = """The causal reading is of this page's mazes and sites; the others are of the {mazes} mazes and
    {sites} sites that all runs' probes share, with the same resamples for all. Probes learned from all levels of their
    own run; readouts at the mouse are of each run's own pairs. In brackets 95% bootstrap intervals over mazes; of the
    agents' mean curves over agents and mazes (of two or three agents such an interval is rough)."""
COMPARED_PLANNING = """Detours followed: share of pairs whose most likely move is right in level and twin, with its 95%
    interval over mazes; idle changes: the same where the right move stays. Against the first run: difference in
    detours followed, paired by maze. As good as the reader of: the fewest steps of path that a planner without a
    network must see to be right as often, on all cells, and on detours. Looks ahead: the longest path length up to
    which detours are followed beyond idle changes and beyond the reader that sees nothing. Departure: the last site
    where the changed walls alone carry half of a detour's effect. Handoff: the first where the mouse's place carries
    more than they do. Arrival: the first where it carries half of the most it ever does. Spread: no handoff, and from
    there on the changed walls alone carry less than half."""
FREE = "free: affine in the pixels"
BY_COMPETENCE = "set by competence; blindness alone holds up to {site}"
ARM = "{run.name}: sha256 {run.sha256}; coefficient {run.coefficient:g}; seed {run.seed}; vectors taken: {run.vector}."
COMPARED_SETTINGS = "Horizon {horizon} moves; mode {mode}."
MANY_READINGS = "The readings of each of so many runs are in compare.json."
BY_SITE = "Blindness with its 95% bootstrap interval over the mazes, then competence."
BY_SITE_MANY = "Blindness; intervals and competence are in compare.json."
MANY = "Many runs: the differences of each to the first are in compare.json."
NOTHING = "No trunk site was swept under subtraction."
RULE = "Rule: {rule}. Result: {site}, interval {low} to {high}."
CHANGE = """Change-point of the blindness curve (two constant pieces over the distinct experiments; named where mean
    blindness surely falls by {drop:g} or more): last site before the drop {site}, interval {low} to
    {high}."""
ALONE = "By blindness alone: up to {site}, interval {low} to {high}."
SPREAD = """The cheese's effect is spread over as many mazes as {effective:.0f} equal ones would be; the {of} with most
    of it hold {largest:.0%}."""
NO_NEARNESS = """Of this run, which an earlier version made, the distances are not known; its command, typed again, adds
    them."""
WEIGHTINGS = """The same rule with the states weighed in other ways: {ends}."""
MOVED = """Moved to another cell in place of removed, and compared with the cheese really there: blindness reaches the
    threshold up to {site}, interval {low} to {high}."""
CONTROL = """Control {condition}: blindness {there} at the boundary; at most {most} at {where} among the sites that are
    not free. Change-point of its curve: {change}."""
CELL = """The cheese's cell can be read linearly from {first} on (95% interval {first_low} to {first_high}), best at
    {best} ({best_low} to {best_high})."""
NO_CELL = "The cheese's cell cannot be read linearly at any site, better than by chance."
REPRESENTED = "Rule of the representational reading: {rule}."
PROBE_RULES = "Rules of the probes. Next move: {move}. Cell: {cell}."
NO_MOVES = "not asked, as no site is known not to be affine in the pixels"
SETTINGS = """Checkpoint {name}, sha256 {sha256}; mode {mode}; horizon {horizon} moves; coefficients {coefficients};
    seed {seed}; vectors taken: {vector}. Answer, boundary, effects and figures are of the coefficient {first} where
    no other is named. Levels with a decision square whose cheese lies outside the top-right 5x5."""
PROBED = """Probes: {mazes} mazes, {states} states of each ({frames} frames), no maze both fitted on and asked about;
    {shuffles} draws of shuffled labels; seed {seed}; {versions}."""
EXACT = """Every outcome is exact: the network is run once for each position and facing of the mouse, on procgen's
    own picture of it, and the outcome follows from the Markov chain of its moves. The intervals are over mazes
    (2,000 bootstrap samples, the same for all sites)."""
ALL_SITES = """Subtracted at all distinct trunk sites at once, the coefficient {row.coefficient:g} shared out among
    them: blindness {row.blindness:.3f} ({row.blindness_low:.3f} to {row.blindness_high:.3f}), competence
    {row.competence:.3f}."""


def fill(text: str, **values: Any) -> str:
    """Return the text on one line, its blanks filled."""
    return " ".join(text.split()).format(**values)
