"""Input of a user: messages of one line, the range of every number that is asked for, and work that was stopped."""

from __future__ import annotations

import contextlib
import difflib
import sys
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import TypeVar

N = TypeVar("N", int, float)


class InputError(ValueError):
    """Bad input: the message is one line that says what is wrong, where, and what to do.

    The command line prints it and exits with code 2.

    Example:
        >>> try:
        ...     Maze.from_level(26).with_cheese((1, 1))
        ... except InputError as error:
        ...     print(error)
        cheese cannot lie on (1, 1): not a free cell of this 7x7 maze
    """


def nearest(name: str, known: Iterable[str], most: int = 1) -> str:
    """Return a hint naming the known word nearest to ``name``, or the list of known words.

    With ``most`` above 1 it names so many, however far they are: for words that are too many to be listed.
    """
    known = list(known)
    if most > 1:
        *first, last = map(repr, difflib.get_close_matches(name, known, n=most, cutoff=0.0))
        return f"did you mean {', '.join(first)}{' or ' if first else ''}{last}?"
    close = difflib.get_close_matches(name, known, n=1, cutoff=0.5)
    if close:
        return f"did you mean {close[0]!r}?"
    return "known: " + ", ".join(known[:60])


def counted(number: int, noun: str) -> str:
    """Return a number of things in words: ``1 cell``, ``3 cells``."""
    return f"{number} {noun}{'' if number == 1 else 's'}"


def one_line(error: BaseException) -> str:
    """Return what a library's exception says, cut to fit into one line; of the system's errors the words alone."""
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    return " ".join(str(error)[:1_000].split())[:160] or type(error).__name__


def as_line(text: str) -> str:
    """Return a text as one line without control characters: names from foreign files may hold some for a terminal."""
    return "".join(char if char.isprintable() else repr(char)[1:-1] for char in " ".join(text.split()))


def shown(value: object) -> str:
    """Return a name or a value from a foreign file as an error line can show it."""
    text = str(value)[:80]
    return text if text.isprintable() else repr(text)


# What to do about an argument of the wrong kind: by what is due, then by the class of what was given.
_REMEDIES: dict[str, dict[str, str]] = {
    "a policy": {
        "str": "load it: load_policy({value!r})",
        "PosixPath": "load it: load_policy(path)",
        "Module": "wrap it: as_policy(net)",
        "Maze": "the policy comes first, then the maze",
    },
    "a network": {"str": "load it: load_policy({value!r}).net", "MazePolicy": "give its network: policy.net"},
    "a shipped name or a file": {
        "Module": "wrap it: as_policy(net)",
        "MazePolicy": "it is loaded already; to make a file of it: save_checkpoint(policy.net, path)",
    },
    "a maze": {
        "int": "make it: Maze.from_level({value!r})",
        "str": "make it: Maze.from_ascii(text)",
        "MazePolicy": "the policy comes first, then the maze",
    },
    "an intervention": {
        "SteeringVector": "wrap it: subtract(v) or add(v)",
        "list": "join them: a + b",
        "tuple": "join them: a + b",
        "dict": "wrap one of its vectors: subtract(vectors[site])",
    },
    "a steering vector": {
        "Tensor": "name its site: SteeringVector(site, tensor)",
        "ndarray": "name its site: SteeringVector(site, array)",
        "list": "name its site: SteeringVector(site, numbers)",
        "dict": "take one of its vectors: vectors[site]",
        "Intervention": "it is one already; its vectors are in .vectors",
    },
    "a random generator": {
        "int": "make it: np.random.default_rng({value!r})",
        "RandomState": "make it: np.random.default_rng(seed)",
        "Generator": "make it: np.random.default_rng(seed)",
    },
    "the name of a site": {
        "list": "for several use cheese_vectors",
        "tuple": "for several use cheese_vectors",
        "Site": "give its name: site.name",
    },
    "names of sites": {"str": "put it in a list: [{value!r}], or use cheese_vector"},
    "a number": {"SteeringVector": "vectors are added and subtracted, and multiplied by a number"},
}


def check_kind(fits: bool, value: object, due: str, where: str) -> None:
    """Raise :class:`InputError` where an argument is of the wrong kind, in one line that names the remedy.

    Args:
        fits: whether it is of the right kind.
        value: the argument.
        due: the right kind in words, one of those with remedies.
        where: the function that was called.
    """
    if fits:
        return
    known = _REMEDIES[due]
    name = next((kind.__name__ for kind in type(value).__mro__ if kind.__name__ in known), "")
    remedy = "; " + known[name].format(value=value) if name else ""
    raise InputError(f"{where}: found {_kind_of(value)}, expected {due}{remedy[:200]}")


def _kind_of(value: object) -> str:
    """Return the kind of an argument in words, such as ``a SteeringVector``."""
    name = type(value).__name__
    return "None" if value is None else f"{'an' if name[:1].lower() in 'aeiou' else 'a'} {name}"


@contextlib.contextmanager
def told_if_stopped(message: Callable[[], str]) -> Iterator[None]:
    """Print ``message()`` on standard error if a signal ends what runs inside; also a decorator."""
    try:
        yield
    except (KeyboardInterrupt, SystemExit):  # the command line turns signals into SystemExit
        print(message(), file=sys.stderr)
        raise


def stopped_with(stored: str, where: object) -> str:
    """Return what :func:`told_if_stopped` says of a run with so much stored, such as ``3 of 8 levels``."""
    return f"mazesteer: stopped; {stored} are stored in {where}: type the same command to go on"


@dataclass(frozen=True)
class Range:
    """Numbers that an option or a setting takes, both ends included."""

    name: str
    """Name of the option, without dashes."""
    low: float
    """Least value."""
    high: float
    """Largest value."""
    unit: str
    """The thing counted or measured."""

    def check(self, value: N) -> N:
        """Return ``value``; raise :class:`InputError` for one outside the range, and for NaN."""
        if not self.low <= value <= self.high:
            raise InputError(f"{self.name} {value}: give {self.words}")
        return value

    @property
    def words(self) -> str:
        """Return the range in words."""
        return f"{self.low:.15g} to {self.high if isinstance(self.high, int) else f'{self.high:g}'} ({self.unit})"


# Every number that a command takes: its options, docs/options.md and their tests are made of this table.
RANGES: dict[str, Range] = {
    row[0]: Range(*row)
    for row in (
        ("behaviour-levels", 1, 100_000, "levels"),
        ("branches", 1, 64, "free moves not chosen, of each level"),
        ("channel", 0, 65_535, "index of a channel"),
        ("coefficient", -1e6, 1e6, "multiple of the vector"),
        ("dagger-samples", 0, 10**10, "labelled states of a round"),
        ("distance", 1, 24, "cells between the mouse and every changed cell"),
        ("episodes", 0, 1_000, "rollouts of each level and condition"),
        ("eval-levels", 1, 100_000, "levels"),
        ("exact-samples", 0, 10**10, "states that go through the network, once for each time"),
        ("fps", 0.01, 60.0, "frames a second"),
        ("frames", 0, 10_000_000, "frames learned from; 0: none"),
        ("gpus-per-unit", 0.0, 1_024.0, "GPUs"),
        ("horizon", 1, 500, "moves; procgen ends an episode after 500"),
        ("learn-levels", 10, 10_000, "levels that readouts learn from"),
        ("level", 0, 2**31 - 2, "seed of a level"),
        ("maps", 0, 64, "pairs of each kind, goal and level"),
        ("n-levels", 1, 100_000, "levels"),
        ("pairs", 1, 64, "pairs of each kind, goal and level"),
        ("patience", 0, 500, "steps; 0: any number"),
        ("port", 0, 65_535, "port of this machine; 0: any that is free"),
        ("ppo-steps", 0, 10**10, "steps of an environment"),
        ("random-draws", 1, 10_000, "draws of each site and level"),
        ("region", 0, 25, "cells of a side; 0: anywhere"),
        ("rollouts-shown", 1, 4, "rollouts shown side by side"),
        ("samples", 0, 10**10, "labelled states"),
        ("scale", 1 / 16, 32.0, "width, in steps of 1/16; beyond, the weights are more than a checkpoint may have"),
        ("scale-pixels", 1, 255, "divisor of the frames: 255, or 1 where they were left as they are"),
        ("seconds", 0.1, 600.0, "seconds of film"),
        ("seed", 0, 2**63 - 1, "seed of every random draw"),
        ("size", 64, 2_048, "pixels of a maze's side"),
        ("states", 1, 1_000, "frames of each level"),
        ("strength", 0.001, 1e6, "multiple of the norm of the cheese vector"),
        ("threshold", -10.0, 10.0, "share of what the cheese changes"),
        ("uniform-starts", 0.0, 1.0, "share of the episodes that begin anywhere in the maze"),
        ("vector-levels", 1, 256, "levels averaged over"),
        ("width", 0.001, 2.0, "width of an interval of blindness"),
        ("workers", 1, 4_096, "processes"),
    )
}


def check_random_seed(seed: int) -> int:
    """Return ``seed`` or raise :class:`InputError` for one that not all generators take."""
    return RANGES["seed"].check(seed)
