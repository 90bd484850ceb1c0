"""What lies in files: read whole, bounded, and as typed records with ranges (no torch)."""

from envs.lazy import lazy_exports

__getattr__, __dir__, __all__ = lazy_exports(
    __name__,
    {
        "from_json": "envs.stored.json_records",
        "from_plain": "envs.stored.json_records",
        "read_arrays": "envs.stored.arrays",
        "read_file": "envs.stored.sources",
        "read_record": "envs.stored.json_records",
        "to_json": "envs.stored.json_records",
        "to_plain": "envs.stored.json_records",
    },
)
