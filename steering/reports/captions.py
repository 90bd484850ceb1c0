"""The sentences of the report: titles and captions of its figures and tables, to be filled with the numbers."""

from __future__ import annotations

from typing import Any

MARKS = """ Shaded, free: affine in the pixels, so success there says nothing about the network. Dotted frame, local: a
    unit sees only part of the picture, so success there is partly locality."""
NAMED = """ Free: affine in the pixels; local: a unit sees only part of the picture."""
TWINS = """ Open markers (hatched bars): the same experiment as a site before, which counts once."""
IMAGES = """ Open markers: an affine image of a site before; read for itself (change-points count it once)."""
# name: (title, what one should see).
# Of each kind of pairs that is patched: figure, title, caption.
_PLANNED = (
    (
        "located",
        "Where in the picture EFFECT is known, layer by layer",
        """Activations of one maze are put into the run on the other, in one place of the picture at one site.
        Carried: the part of the difference in the next move that comes with them, pooled over pairs, with 95%
        intervals over mazes. Source: what differs and one tile around; mouse: likewise; route: the two shortest
        ways; elsewhere: the rest; random: as many blocks as the source has, as far from both. Lines, each with its
        shaded 95% interval: departure, behind the last site at which the source alone carries half, and handoff,
        before the first at which the mouse's place carries more than the source. Where no line is, there is no such
        site.""",
    ),
    (
        "lengths",
        "Where EFFECT is known, by path length",
        """As above, pairs apart by the number of steps from the mouse to what differs. If a plan spread step by step,
        what is nearer would leave the source, and reach the mouse, at an earlier layer. Bars: 95% intervals over
        mazes, wide where few mazes have such pairs; what is below -0.15 is cut off.""",
    ),
    (
        "maps",
        "How EFFECT travels: block by block",
        """What single blocks of 8x8 pixels carry at each site, averaged over pairs. Upper maps are centred on the
        source (of two changed tiles, the nearer), lower ones on the mouse; each pair is mirrored so that the mouse is
        neither below the source nor to its left. So an effect that travels to the mouse moves up and to the right in
        the upper maps, and from the lower left to the centre in the lower ones. Blocks that fewer than a tenth of the
        pairs have are blank; colours end at a fifth of the whole effect.""",
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
        """Each point is a place between two sites: up to there, or from there on, what stands beside it holds
        (at the very end: nowhere); bars are 95% bootstrap intervals over mazes. If the network stops decoding
        the picture and starts planning in one place, the readings meet there: subtraction stops working, the
        cheese's vector starts to depend on where the mouse stands, and next moves can be read that the pixels
        do not hold. The cell may be lost later, or never."""
        + MARKS,
    ),
    "blindness": (
        "Blindness over depth",
        """Blindness is 1 where the edited policy moves exactly as it would with the cheese removed from the level,
        0 where it is as far from that as the policy left alone, negative where it is further (by damage, or by more
        attraction to the cheese; points below -1 are cut off); look for where the thick line falls while the controls
        stay low. Bars: 95% bootstrap intervals over {mazes} mazes. The random control is noise of the same norm. Broken
        green: competence, which falls where the edit does damage, and also where the agent sees the cheese again: left
        alone it has {competence} (dotted green; competence of the controls: click on its name). With few mazes, and
        where blindness or competence is nearly 1, such intervals are too narrow (docs/statistics.md has how often they
        cover)."""
        + MARKS
        + TWINS,
    ),
    "weightings": (
        "Blindness by the distance to the cheese, and where the mouse goes",
        """Blindness of subtraction by the cells between mouse and cheese (the larger of columns and rows; walls do not
        count), and with states weighed by how often the policy without cheese is there (visits). The pooled curve
        (all states) is their mean, each weighed by the part of the cheese's effect that lies there: where it lies next
        to the cheese, the curve is about what happens next to the cheese. {spread} Bars: 95% bootstrap intervals over
        mazes; dotted: the threshold of the boundary."""
        + MARKS
        + TWINS,
    ),
    "thresholds": (
        "The boundary for every threshold",
        """Where the boundary lies if another blindness counts as working (the other threshold stays), and if another
        competence does. A line that falls steeply in one place is a boundary that does not hang on the threshold; a
        staircase is a gradual loss; a line that is level is a threshold that decides nothing. Shaded: 95% bootstrap
        intervals over mazes."""
        + NAMED,
    ),
    "before-after": (
        "At the decision square, before and after, at {site}",
        """One point a maze: the policy left alone, with the cheese vector subtracted, and with the cheese removed.
        The published figure compares the first two: the move to the cheese falls, that to the top right rises. If
        subtraction only blinds, the second box also looks like the third.""",
    ),
    "decision": (
        "At the decision square, site by site",
        """Mean probability of each move on the last square shared by the shortest paths to the cheese and to the
        top-right cell, when the cheese vector is subtracted at the site named below the bar. A blind agent's bar
        looks like the last one, an agent's that is not steered like the first."""
        + MARKS
        + TWINS,
    ),
    "positions": (
        "Where in the maze it works",
        """Blindness over the positions of the mouse, by their path length from {origin}. {exact} is to be seen is
        at which depth it fades with distance. Rows are distinct experiments, from the input down. Starred: in more
        than half of these states mouse and cheese are too far apart for any unit to see both, so that blindness is
        locality and no finding. Below each number its 95% bootstrap interval over mazes, pooled as the number is
        (none for fewer than 16 mazes: no interval tried covers there)."""
        + NAMED,
    ),
    "fields-typical": (
        "What it does in a typical maze (level {level}, blindness {blindness})",
        """Mean step from every cell: left alone, with the cheese vector subtracted at {site}, the difference, and
        with the cheese removed. Circle: the start; square: the cheese; corners: the decision square; broken line:
        the top-right 5x5. Where subtraction only blinds, the second and the last panel agree and the third is empty
        but where the cheese pulled.""",
    ),
    "fields-best": (
        "The maze where it works best (level {level}, blindness {blindness})",
        """As above. Of the half of the mazes where the cheese changes most, the one where the steered policy is
        closest to the one without cheese, relative to what the cheese changes.""",
    ),
    "fields-worst": (
        "The maze where it works worst (level {level}, blindness {blindness})",
        """As above. Of the half of the mazes where the cheese changes most, the one where the steered policy is
        furthest from the one without cheese, relative to what the cheese changes.""",
    ),
    **{
        f"detours-{goal}": (
            f"Does it plan its way to {said}?",
            """Pairs of mazes that differ in two far cells, where the first move of the shortest way is another one
            (detours) or stays (idle changes). Bars: share of pairs whose most likely move is right in both, with 95%
            intervals over mazes. Grey: readers without a network that see the maze only so many steps far.""",
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
        """Linear readouts of the units around the mouse (1x1, 3x3, 5x5) and of the whole site, learned from up to
        {frames_learned} frames of other mazes (large whole sites from fewer) and asked about {frames_asked} frames of
        these mazes, with 95% intervals over mazes. Dotted, named on the right: readers without a network that see so
        many steps of path, and a look around the mouse (a regression on the walls within three cells). Below: pairs of
        mazes that differ in two far cells and ask for different first moves ({pairs}). Level and twin look the same
        around the mouse, so a reader of the surroundings is right in both of none. Dashed line, its 95% interval
        shaded: the first site whose 3x3 units follow more detours than the pixels and such readers do, and more than
        they take the other maze's way in both.""",
    ),
    "learning": (
        "How many frames it takes to learn a readout",
        """The same readouts at four sites, by the number of frames that they learned from. Dotted, named on the right:
        boosted trees that see the walls within so many cells of the mouse (window), and the look around; they have
        equally many frames. Where four times as many frames still gain more than .01, more is there than is told:
        {rising} (report.md has the sites).""",
    ),
    "written": (
        "Whether what a readout of the next move reads is used",
        """At junctions the direction of a free move that the policy does not make is added at one site ({branches}
        branches of {written_mazes} mazes; left alone it makes such a move with probability {clean}). Strength 1: the
        norm of the cheese vector there. Rise: of the probability of that move, beyond every control of the same norm
        (random, learned from shuffled moves, towards the cheese's cell), with 95% intervals over mazes; dotted: the
        greatest strength. Grey: next moves told rightly in mazes not learned from; dotted: after learning from
        shuffled moves. Read, but the readout's direction raises the move by half at no
        strength: {unused}.""",
    ),
    "probes": (
        "What can be read from the activations",
        """Accuracy on held-out mazes of linear and convolutional probes at every trunk site. Planning shows where
        the next move can be told better than from the pixels (first site), from shuffled labels (dotted), and from a
        look around without any network (dashed: walls within three cells, and the direction of the goal). Most ways to
        the cheese begin as the way to the corner does, so the second panel asks only about frames where they do not: a
        reader of the way to the corner is never right there. Lines with shaded 95% intervals: where the next move
        appears, where the cell is lost."""
        + MARKS
        + IMAGES,
    ),
    "representation": (
        "Whether the cheese vector is the same everywhere",
        """Cosine and norm ratio of cheese vectors taken elsewhere in the maze to the one taken at the start, where
        a unit can see mouse and cheese at once and where none can. 1 is the same vector; where none can see both it
        is 1 by construction. Line with shaded 95% interval: where half of the cheese's effect is no longer that of the
        start. Below: blank where fewer than 16 mazes have such states."""
        + MARKS
        + IMAGES,
    ),
    "compare-curves": (
        "Blindness over depth, run by run",
        """One line a run, over the same {mazes} mazes. Where a line falls is where subtraction stops acting like
        removing the cheese (points below -1 are cut off). Intervals (where few runs are shown) are over mazes and say
        nothing about differences, which are paired and have their own."""
        + MARKS
        + TWINS,
    ),
    "compare-differences": (
        "Differences of blindness",
        """Second minus first, paired by maze. Bars: simultaneous 95% bands over the distinct sites, so where one
        leaves 0 out the runs clearly differ; the narrower intervals of each site by itself are in compare.json."""
        + MARKS
        + TWINS,
    ),
    "compare-probes": (
        "What probes read, run by run",
        """One line a run, over the {probed} mazes that all runs' probes share, none of them one that the probe was
        fitted on. Whole maps are read here, from few frames: where the two upper lines rise depends on how many
        numbers a site has, so they say nothing of depth (the table below has readouts at the mouse, where they were
        made). Top: look for where a line leaves the height it has at the input, which is what the pixels tell,
        and passes the dashed one, which is what a look around the mouse tells without any network: walls within
        three cells, and the direction of the cheese (in the first run's mazes). Second: the
        same on frames where the corner asks for another move. Third: where the cheese's cell can be read. Bottom: the
        part of the cheese's effect on the activations that the vector taken at the start does not account for."""
        + MARKS
        + IMAGES,
    ),
    "compare-detours": (
        "Detours followed, run by run",
        """Share of detour pairs whose most likely move is right in level and twin, and of idle pairs, with 95%
        intervals over mazes. Whoever looks around the mouse sees the same in both mazes, so only detours followed
        are evidence of planning; of snapshots, look for the samples at which they come up.""",
    ),
    "compare-carried": (
        "Where a detour is known, run by run",
        """Part of the difference between level and twin that comes with the activations of the changed walls and one
        tile around (source, solid), and of the mouse's place (mouse, dashed), site by site.""",
    ),
    "compare-readouts": (
        "What is read at the mouse, run by run",
        """Share of detour pairs whose next move a linear readout of the 3x3 units around the mouse tells rightly in
        level and twin, site by site, with 95% intervals over mazes.""",
    ),
    "development": (
        "Over training",
        """Top: blindness by site at each snapshot (colours from -1 to 1), and the boundary with its 95% bootstrap
        interval over mazes (row nowhere: before the first site; open markers: the cheese hardly draws the agent,
        raising neither P(cheese) nor P(cheese | decision square) by a sure 0.01: blindness is a share of little).
        Middle: how well the policy does, and competence, P(top-right 5x5) under subtraction relative to the level
        without cheese, at the snapshot's boundary or, where that is nowhere (open markers), at {first}. Bottom:
        {bottom} Look for whether the boundary moves where the loss does."""
        + NAMED,
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
