"""Parts of what objects show of themselves: tables as text, tables and pictures for notebooks (no torch)."""

from envs.lazy import lazy_exports

__getattr__, __dir__, __all__ = lazy_exports(
    __name__,
    {
        "html_picture": "envs.shown.displays",
        "html_table": "envs.shown.displays",
        "png_bytes": "envs.shown.displays",
        "text_table": "envs.shown.displays",
    },
)
