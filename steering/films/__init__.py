"""Pictures of one level: films, fields of moves, heat maps."""

from envs.lazy import lazy_exports

__getattr__, __dir__, __all__ = lazy_exports(
    __name__,
    {
        "Cast": "steering.films.condition_film",
        "MoveField": "steering.films.move_fields",
        "film_sites": "steering.films.site_film",
        "film_sweep": "steering.films.sweep_film",
        "heat_map": "steering.films.heat_maps",
        "roll": "steering.films.condition_film",
    },
)
