"""What the cheese vector is made of, as typed records."""

from envs.lazy import lazy_exports

__getattr__, __dir__, __all__ = lazy_exports(
    __name__,
    {
        "AnatomySettings": "steering.records.anatomy.summary",
        "AnatomySummary": "steering.records.anatomy.summary",
        "CircuitSite": "steering.records.anatomy.circuit_site",
        "InterferenceSite": "steering.records.anatomy.interference_site",
        "Modules": "steering.records.anatomy.modules",
        "ModulesSite": "steering.records.anatomy.modules",
        "NetworkModules": "steering.records.anatomy.modules",
    },
)
