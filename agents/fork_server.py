"""Imported by the process that workers are forked from, and by nothing else: it ends without a word if its parent does.

Whoever asked it for a worker may be killed before the request is whole. Python's own server ends by an exception then,
and so does the worker just born; the trace of it would stand in the terminal of a user whose program is gone.
"""

from __future__ import annotations

import sys
from types import TracebackType


def _tell(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    if not isinstance(error, EOFError | ConnectionError):
        sys.__excepthook__(kind, error, trace)


sys.excepthook = _tell
