"""Package attributes that import their module on first use (PEP 562)."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping
from typing import Any


def lazy_exports(homes: Mapping[str, str]) -> tuple[Callable[[str], Any], list[str]]:
    """Return a module-level ``__getattr__`` and ``__all__`` for names living in ``homes``."""

    def getattr_(name: str) -> Any:
        try:
            home = homes[name]
        except KeyError:
            raise AttributeError(f"no public name {name!r}; there are: {', '.join(sorted(homes))}") from None
        return getattr(importlib.import_module(home), name)

    return getattr_, sorted(homes)
