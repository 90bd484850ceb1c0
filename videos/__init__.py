"""Films of recorded trajectories in procgen's own pictures: frames, captions, encoding (no torch).

Public names are loaded on first use, so importing the package costs nothing.
"""

from envs.lazy import lazy_exports

__getattr__, __all__ = lazy_exports(
    {
        "Panel": "videos.side_by_side",
        "caption_bar": "videos.frames",
        "check_encoder": "videos.encode",
        "compose_panels": "videos.frames",
        "film_frames": "videos.side_by_side",
        "result_text": "videos.side_by_side",
        "write_film": "videos.encode",
        "write_gif": "videos.encode",
        "write_mp4": "videos.encode",
    }
)
