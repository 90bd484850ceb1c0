"""Messages of one line for a user: input to be mended, and work that was stopped."""

from __future__ import annotations

import contextlib
import difflib
import sys
from collections.abc import Callable, Iterable, Iterator


class InputError(ValueError):
    """Bad input: the message is one line that says what is wrong, where, and what to do.

    The command line prints it and exits with code 2.
    """


def nearest(name: str, known: Iterable[str]) -> str:
    """Return a hint naming the known word nearest to ``name``, or the list of known words."""
    known = list(known)
    close = difflib.get_close_matches(name, known, n=1, cutoff=0.5)
    if close:
        return f"did you mean {close[0]!r}?"
    return "known: " + ", ".join(known[:60])


def one_line(error: BaseException) -> str:
    """Return what a library's exception says, cut to fit into one line."""
    return " ".join(str(error)[:1_000].split())[:160] or type(error).__name__


@contextlib.contextmanager
def told_if_stopped(message: Callable[[], str]) -> Iterator[None]:
    """Print ``message()`` on standard error if a signal ends what runs inside; also a decorator."""
    try:
        yield
    except (KeyboardInterrupt, SystemExit):  # the command line turns signals into SystemExit
        print(message(), file=sys.stderr)
        raise


def check_random_seed(seed: int) -> int:
    """Return ``seed`` or raise :class:`InputError` for one that not all generators take."""
    if not 0 <= seed < 2**63:
        raise InputError(f"seed {seed}: must be 0 or more, and less than 2**63")
    return seed
