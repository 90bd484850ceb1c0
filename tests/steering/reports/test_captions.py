"""Captions and sentences of the pages: short, in the project's words, and held to what the docs are held to."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from steering.reports import captions
from tests.test_words import END, LONG, lengths

# Words that say less than they seem to, or that the glossary has another term for.
NOT_SAID = ("hangs on", "rightly", "a sure 0.01", "of this little", "second minus first", "pairs apart")


def words(sentence: str) -> int:
    return sum(bool(re.search(r"\w", word)) for word in sentence.split())


@pytest.mark.parametrize("name", captions.FIGURES)
def test_a_caption_is_three_short_sentences_at_most(name: str) -> None:
    parts = [part for part in END.split(" ".join(captions.FIGURES[name][1].split())) if part]
    blanks = sum(part.startswith("{") for part in parts)  # of a sentence made elsewhere, which may be none
    assert len(parts) <= 3 + blanks and max(map(words, parts)) <= LONG


def test_what_pages_say_is_plain() -> None:
    texts = [text for title, caption in captions.FIGURES.values() for text in (title, caption)]
    texts += [text for name, text in vars(captions).items() if name.isupper() and isinstance(text, str)]
    said = " ".join(" ".join(texts).split())
    assert len(said) > 10_000 and not [phrase for phrase in NOT_SAID if phrase in said]


def test_the_sentences_of_a_report_are_as_short_as_those_of_the_docs(sweep: Path) -> None:
    counted = lengths((sweep / "report.md").read_text())
    assert len(counted) > 60
    assert sum(counted) <= 15 * len(counted), f"{sum(counted) / len(counted):.1f} words a sentence"
    assert sum(count > LONG for count in counted) <= 0.03 * len(counted)


def test_the_rule_of_a_reading_becomes_sentences() -> None:
    rule = "first site that holds (margins: over mazes, all at once); half: the first with half"
    assert (
        captions.as_sentences(rule)
        == "first site that holds. Margins: over mazes, all at once. Half: the first with half"
    )
    assert captions.as_sentences("one thing") == "one thing"
