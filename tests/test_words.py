"""Hold the pages to short sentences, measured in prose: outside tables, code and headings."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from markdown_it import MarkdownIt
from markdown_it.token import Token

ROOT = Path(__file__).resolve().parents[1]
LONG = 30  # words
FOLDERS = (ROOT / "docs", ROOT / "docs/tutorials", ROOT / "docs/decisions")
PAGES = [ROOT / "README.md", *(page for folder in FOLDERS for page in sorted(folder.glob("*.md")))]
# A sentence ends at its stop; the next begins with a capital, code, emphasis or a bracket.
END = re.compile(r"(?<=[.?!])[)\"*]*\s+(?=[A-Z`(\"*])")


def sentences(text: str) -> list[str]:
    """Return the sentences of the prose of a page in Markdown; a list item is one at least."""
    blocks = MarkdownIt().enable("table").parse(text)
    return [
        sentence for block in prose(blocks) for sentence in END.split(words_of(block)) if re.search(r"\w", sentence)
    ]


def prose(blocks: list[Token]) -> Iterator[Token]:
    """Yield the paragraphs: what is neither heading nor cell of a table."""
    outside = 0
    for block in blocks:
        if block.type in ("heading_open", "heading_close", "table_open", "table_close"):
            outside += block.nesting
        elif block.type == "inline" and not outside:
            yield block


def words_of(block: Token) -> str:
    """Return the text of a paragraph without markup; code in backquotes, pictures left out."""
    marks = {"softbreak": " ", "hardbreak": " "}
    parts = (part for part in block.children or [] if part.type != "image")
    return "".join(
        f"`{part.content}`" if part.type == "code_inline" else marks.get(part.type, part.content) for part in parts
    )


def lengths(text: str) -> list[int]:
    """Return the number of words of each sentence."""
    return [sum(bool(re.search(r"\w", word)) for word in sentence.split()) for sentence in sentences(text)]


def test_what_counts_as_a_sentence() -> None:
    page = "# A heading. Not counted\n\nOne `code` word (two). Three\nfour!\n\n- an item\n\n| a | cell |\n|---|---|\n"
    assert sentences(page) == ["One `code` word (two).", "Three four!", "an item"]
    assert lengths(page) == [4, 2, 2]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_sentences_are_short(page: Path) -> None:
    """At most 15 words on average, and at most 3% over 30."""
    counted = lengths(page.read_text())
    longest = max(sentences(page.read_text()), key=lambda sentence: len(sentence.split()))
    assert sum(counted) <= 15 * len(counted), f"{sum(counted) / len(counted):.1f} words a sentence"
    assert sum(count > LONG for count in counted) <= 0.03 * len(counted), longest
