"""Linear readouts of one site: the cheese's cell and next moves."""

from envs.lazy import lazy_exports

__getattr__, __dir__, __all__ = lazy_exports(
    __name__,
    {
        "ProbeData": "steering.probes.data",
        "ProbeOptions": "steering.probes.run",
        "run_probes": "steering.probes.run",
        "site_scores": "steering.probes.scores",
        "summarize_probes": "steering.probes.summary",
    },
)
