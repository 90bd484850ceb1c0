"""Tables as text, and tables and pictures as HTML, as ``__repr__`` and ``_repr_html_`` give them."""

from __future__ import annotations

import base64
import html
import io
from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np

_LEFT, _RIGHT = (f' style="text-align:{side}"' for side in ("left", "right"))


def text_table(columns: Sequence[str], rows: Sequence[Sequence[str]], left: int = 1) -> str:
    """Return a table as lines of equal columns.

    Args:
        columns: headings.
        rows: texts, as many in each row as there are headings.
        left: number of columns whose texts stand to the left; those after them stand to the right.

    Example:
        >>> print(text_table(["site", "B"], [["input", "1.00"], ["fc", "0.05"]]))
        site      B
        input  1.00
        fc     0.05
    """
    lines = [columns, *rows]
    widths = [max(len(line[k]) for line in lines) for k in range(len(columns))]

    def padded(text: str, k: int) -> str:
        return text.ljust(widths[k]) if k < left else text.rjust(widths[k])

    return "\n".join("  ".join(padded(text, k) for k, text in enumerate(line)).rstrip() for line in lines)


def html_table(columns: Sequence[str], rows: Sequence[Sequence[str]], caption: str = "", left: int = 1) -> str:
    """Return a table as HTML.

    Args:
        columns: headings.
        rows: texts, as many in each row as there are headings.
        caption: words above it; empty: none.
        left: number of columns whose texts stand to the left; those after them stand to the right.

    Example:
        >>> html_table(["n"], [["1 < 2"]]).count("1 &lt; 2")
        1
    """

    def line(tag: str, texts: Sequence[str]) -> str:
        cells = (f"<{tag}{_LEFT if k < left else _RIGHT}>{html.escape(text)}</{tag}>" for k, text in enumerate(texts))
        return f"<tr>{''.join(cells)}</tr>"

    head = f"<caption>{html.escape(caption)}</caption>" if caption else ""
    body = "".join(line("td", row) for row in rows)
    return f"<table>{head}<thead>{line('th', columns)}</thead><tbody>{body}</tbody></table>"


def png_bytes(frame: np.ndarray, *, quick: bool = False) -> bytes:
    """Return a picture ``uint8[height, width, 3]`` as the bytes of a PNG file; ``quick``: in half the time, larger."""
    from PIL import Image

    buffer = io.BytesIO()
    Image.fromarray(frame).save(buffer, "PNG", compress_level=1 if quick else 6)
    return buffer.getvalue()


def html_picture(png: bytes, words: str) -> str:
    """Return a picture, given as the bytes of a PNG file, as HTML with ``words`` below it."""
    text = html.escape(words)
    source = f"data:image/png;base64,{base64.b64encode(png).decode()}"
    return f'<figure><img alt="{text}" src="{source}"><figcaption>{text}</figcaption></figure>'
