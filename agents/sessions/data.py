"""The data of a training, each piece a function of its number, made as they are needed or ahead by processes."""

from __future__ import annotations

import functools
import itertools
from collections.abc import Callable, Generator
from typing import TypeVar

from agents.workers import DEATHS, WorkerLost, Workers
from envs.errors import InputError

Piece = TypeVar("Piece")


def in_order(make: Callable[[int], Piece], first: int, workers: int, home: str) -> Generator[Piece, None, None]:
    """Yield ``make(first)``, ``make(first + 1)``, ...; close the generator to end the processes.

    Args:
        make: makes the piece of a number; is pickled where processes are asked for.
        first: number of the first piece.
        workers: processes that make pieces ahead; 0: they are made here.
        home: name of the module that the processes need.

    Raises:
        InputError: processes died again and again at the same piece.
    """
    if not workers:
        yield from map(make, itertools.count(first))
    done: dict[int, Piece] = {}
    with Workers(functools.partial(functools.partial, make), workers, home) as pool:
        pool.put(*range(first, first + 2 * workers))
        for number in itertools.count(first):
            try:
                while number not in done:
                    done.update(pool.take())
            except WorkerLost as lost:
                raise InputError(
                    f"training data: {DEATHS} processes that made them died one after the other (the last: {lost}); "
                    "what was trained is stored: free memory and add --resume to go on"
                ) from None
            pool.put(number + 2 * workers)
            yield done.pop(number)
