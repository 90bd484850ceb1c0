"""What a user reads on the console: no error's number, no ``1 cells``."""

from __future__ import annotations

import ast
import inspect
import re
import typing
from collections.abc import Iterator
from pathlib import Path

from typer.models import ArgumentInfo, OptionInfo

from envs.errors import counted, one_line
from tests.helpers.command import commands

ROOT = Path(__file__).resolve().parents[1]
SOURCES = [path for package in ("agents", "envs", "videos", "steering") for path in (ROOT / package).rglob("*.py")]
# Rooms whose numbers of things a user reads.
TOLD = [path for path in SOURCES if path.parent.name in ("cli", "workflows", "films", "planning", "sweep")]
THINGS = "cells|checkpoints|episodes|frames|levels|mazes|moves|pairs|sites|steps"
COUNT = re.compile(r"\{([^{}:!\"']+)\} (?:" + THINGS + r")\b")
# No number: words before a plural, and ranges in words.
BANNED = re.compile(r"hangs? on|told rightly|\bapart\b|second minus first|\bnot un|\bnot without\b|never not")
WORDS = ("kind", "kind.value", "reader.name", "steps[delay.far]")


def numbers_without_a_singular(source: str) -> list[str]:
    """Return the numbers in f-strings that a plural follows whatever they are; constants are known not to be 1."""
    lines = [line for line in source.splitlines() if 'f"' in line]
    return [found for line in lines for found in COUNT.findall(line) if found not in WORDS and not found.isupper()]


def errors_shown_whole(tree: ast.AST) -> Iterator[int]:
    """Yield the lines where an error of the system stands in an f-string as it is: ``[Errno 2] No such file``."""
    for handler in (node for node in ast.walk(tree) if isinstance(node, ast.ExceptHandler)):
        if handler.name is None or handler.type is None or "OSError" not in ast.unparse(handler.type):
            continue
        yield from (
            part.lineno
            for part in ast.walk(handler)
            if isinstance(part, ast.FormattedValue)
            and ast.unparse(part.value) in (handler.name, f"str({handler.name})")
        )


def helps() -> dict[str, str]:
    """The help of every command and of every option, by name."""
    found: dict[str, str] = {}
    for command, function in commands().items():
        wrapped = inspect.unwrap(function)
        found[command] = inspect.getdoc(wrapped) or ""
        for name, hint in typing.get_type_hints(wrapped, include_extras=True).items():
            for info in getattr(hint, "__metadata__", ()):
                if isinstance(info, ArgumentInfo | OptionInfo):
                    found[f"{command} {name}"] = info.help or ""
    return found


def told(source: str) -> Iterator[str]:
    """Yield what a module prints and raises: the texts of its calls, each number of an f-string as one word."""
    for call in (node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Call)):
        if ast.unparse(call.func) in ("print", "InputError", "told_if_stopped", "typer.BadParameter") and call.args:
            yield ast.unparse(call.args[0])


def test_every_help_is_one_or_a_few_short_sentences_in_plain_words() -> None:
    found = helps()
    assert len(found) > 200
    for name, text in found.items():
        assert text and text[0] not in "'\"" and text.rstrip()[-1] in ".)?", f"{name}: {text}"
        for sentence in re.split(r"(?<=[.?])\s+(?=[A-Z])", text):
            assert len(sentence.split()) <= 25, f"{name}: {sentence}"
    texts = [*found.values(), *(text for path in TOLD for text in told(path.read_text()))]
    assert [text for text in texts if BANNED.search(text)] == []


def test_things_are_counted_in_the_singular_too() -> None:
    assert [counted(number, "cell") for number in (0, 1, 2)] == ["0 cells", "1 cell", "2 cells"]
    assert numbers_without_a_singular('f"{len(levels)} levels, {FEW} mazes, {kind} pairs"') == ["len(levels)"]


def test_no_number_of_things_is_told_with_a_plural_alone() -> None:
    found = {path.name: numbers_without_a_singular(path.read_text()) for path in TOLD}
    assert {name: said for name, said in found.items() if said} == {}, "say it with envs.errors.counted"


def test_an_error_of_the_system_is_told_in_words() -> None:
    try:
        open(ROOT / "no such file")
    except OSError as error:
        assert one_line(error) == "No such file or directory"
    bad = "try:\n    f()\nexcept (OSError, KeyError) as e:\n    raise InputError(f'{path}: {e}')\n"
    assert list(errors_shown_whole(ast.parse(bad))) == [4]
    found = {path.name: list(errors_shown_whole(ast.parse(path.read_text()))) for path in SOURCES}
    assert {name: lines for name, lines in found.items() if lines} == {}, "say it with envs.errors.one_line"
