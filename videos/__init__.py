"""Films of recorded trajectories in procgen's own pictures, and drawings of vector fields (no torch)."""

from envs.lazy import lazy_exports

__getattr__, __dir__, __all__ = lazy_exports(
    __name__,
    {
        "FieldPanel": "videos.fields",
        "Heat": "videos.fields",
        "HeatOverlay": "videos.scene",
        "Look": "videos.side_by_side",
        "Panel": "videos.side_by_side",
        "caption_bar": "videos.frames",
        "check_encoder": "videos.encode",
        "field_drawing": "videos.fields",
        "field_figure": "videos.plots",
        "field_file": "videos.plots",
        "film_frames": "videos.side_by_side",
        "grid_frames": "videos.side_by_side",
        "result_text": "videos.side_by_side",
        "write_film": "videos.encode",
        "write_gif": "videos.encode",
        "write_video": "videos.encode",
    },
)
