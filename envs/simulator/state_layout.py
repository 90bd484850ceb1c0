"""The byte layout of procgen's serialized maze state, with the bounds of every field.

The order follows ``Game::serialize``, ``BasicAbstractGame::serialize``, ``Entity::serialize``,
``Grid::serialize`` and ``MazeGame::serialize`` of procgen 0.10.7. Bounds are those of what
procgen itself writes for mazes; some of the fields index C++ tables.
"""

from __future__ import annotations

import re
from typing import Final

WALL: Final = 51
SPACE: Final = 100
CHEESE: Final = 2
END_MARKER: Final = 0xCAFECAFE
MAX_BYTES: Final = 200_000
WORLD_DIM: Final = {"easy": 15, "hard": 25}
MODE_CODE: Final = {"easy": 0, "hard": 1}
# Texts of the random generators.
GENERATORS: Final = ("level_seed_rand_gen.state", "rand_gen.state", "asset_rand_gen.state")
TWISTER: Final = re.compile(rb"(?:[0-9]{1,10} ){624}([0-9]{1,3})")
INT_MAX = 2**31 - 1
_ANY = (-(2**31), INT_MAX)
_BOOL = (0, 1)

# name, kind ("i" int32, "f" float32, "s" string), bounds. Strings: bounds of the length.
_Field = tuple[str, str, tuple[float, float]]
_BIG: Final = 1e6
FIELDS: Final[tuple[_Field, ...]] = (
    ("version", "i", (0, 0)),
    ("game_name", "s", (4, 4)),
    ("paint_vel_info", "i", _BOOL),
    ("use_generated_assets", "i", (0, 0)),
    ("use_monochrome_assets", "i", _BOOL),
    ("restrict_themes", "i", _BOOL),
    ("use_backgrounds", "i", _BOOL),
    ("center_agent", "i", (0, 0)),
    ("debug_mode", "i", (0, 0)),
    ("distribution_mode", "i", _BOOL),
    ("use_sequential_levels", "i", _BOOL),
    ("use_easy_jump", "i", _BOOL),
    ("plain_assets", "i", (0, 0)),
    ("physics_mode", "i", (0, 0)),
    ("grid_step", "i", (1, 1)),
    ("level_seed_low", "i", (0, INT_MAX)),
    ("level_seed_high", "i", (0, INT_MAX)),
    ("game_type", "i", (0, 0)),
    ("game_n", "i", (0, 1_000_000)),
    ("level_seed_rand_gen.is_seeded", "i", (1, 1)),
    ("level_seed_rand_gen.state", "s", (1248, 7500)),
    ("rand_gen.is_seeded", "i", (1, 1)),
    ("rand_gen.state", "s", (1248, 7500)),
    ("reward", "f", (-_BIG, _BIG)),
    ("done", "i", _BOOL),
    ("level_complete", "i", _BOOL),
    ("action", "i", (-1, 14)),
    ("timeout", "i", (1, 100_000)),
    ("current_level_seed", "i", (0, INT_MAX)),
    ("prev_level_seed", "i", (0, INT_MAX)),
    ("episodes_remaining", "i", (0, INT_MAX)),
    ("episode_done", "i", _BOOL),
    ("last_reward_timer", "i", (0, 100_000)),
    ("last_reward", "f", (-_BIG, _BIG)),
    ("default_action", "i", (0, 14)),
    ("fixed_asset_seed", "i", _ANY),
    ("cur_time", "i", (0, 100_000)),
    ("is_waiting_for_step", "i", (0, 0)),  # with 1 the next observe would wait for ever
    ("grid_size", "i", (9, 625)),
    ("entities", "e", (1, 1)),
    ("use_procgen_background", "i", (0, 0)),
    ("background_index", "i", (0, 8)),  # an index into the 9 top-down pictures
    ("bg_tile_ratio", "f", (-1e3, 1e3)),
    ("bg_pct_x", "f", (-1e3, 1e3)),
    ("char_dim", "f", (0, 1e3)),
    ("last_move_action", "i", (-1, 15)),
    ("move_action", "i", (-1, 15)),
    ("special_action", "i", (-1, 15)),
    ("mixrate", "f", (-1e3, 1e3)),
    ("maxspeed", "f", (-1e3, 1e3)),
    ("max_jump", "f", (-1e3, 1e3)),
    ("action_vx", "f", (-1, 1)),
    ("action_vy", "f", (-1, 1)),
    ("action_vrot", "f", (-1, 1)),
    ("center_x", "f", (0, 25)),
    ("center_y", "f", (0, 25)),
    ("random_agent_start", "i", _BOOL),
    ("has_useful_vel_info", "i", (0, 0)),
    ("step_rand_int", "i", _ANY),
    ("asset_rand_gen.is_seeded", "i", _BOOL),
    ("asset_rand_gen.state", "s", (1248, 7500)),
    ("main_width", "i", (3, 25)),
    ("main_height", "i", (3, 25)),
    ("out_of_bounds_object", "i", (0, 127)),
    ("unit", "f", (0, 1e3)),
    ("view_dim", "f", (0, 1e3)),
    ("x_off", "f", (-1e3, 1e3)),
    ("y_off", "f", (-1e3, 1e3)),
    ("visibility", "f", (0, 1e3)),
    ("min_visibility", "f", (0, 0)),
    ("grid_width", "i", (3, 25)),
    ("grid_height", "i", (3, 25)),
    ("grid", "g", (9, 625)),
    ("maze_dim", "i", (3, 25)),
    ("world_dim", "i", (15, 25)),
    ("end_marker", "i", _ANY),
)

# A maze has one entity, the mouse: 31 four-byte fields (``Entity::serialize``) with their bounds.
X, Y, IS_REFLECTED = 0, 1, 15
ENTITY: Final[tuple[_Field, ...]] = (
    ("x", "f", (0, 25)),
    ("y", "f", (0, 25)),
    ("vx", "f", (-1, 1)),
    ("vy", "f", (-1, 1)),
    ("rx", "f", (0.5, 0.5)),
    ("ry", "f", (0.5, 0.5)),
    ("type", "i", (0, 0)),
    ("image_type", "i", (0, 0)),
    ("image_theme", "i", (0, 0)),
    ("render_z", "i", (0, 1)),
    ("will_erase", "i", (0, 0)),
    ("collides_with_entities", "i", _BOOL),
    ("collision_margin", "f", (-1, 1)),
    ("rotation", "f", (0, 0)),
    ("vrot", "f", (-1, 1)),
    ("is_reflected", "i", _BOOL),
    ("fire_time", "i", (-1, 100_000)),
    ("spawn_time", "i", (-1, 100_000)),
    ("life_time", "i", (0, 100_000)),
    ("expire_time", "i", (-1, 100_000)),
    ("use_abs_coords", "i", (0, 0)),
    ("friction", "f", (0, 1)),
    ("smart_step", "i", _BOOL),
    ("avoids_collisions", "i", _BOOL),
    ("auto_erase", "i", _BOOL),
    ("alpha", "f", (1, 1)),
    ("health", "f", (-100, 100)),
    ("theta", "f", (-100, 100)),
    ("grow_rate", "f", (1, 1)),
    ("alpha_decay", "f", (1, 1)),
    ("climber_spawn_x", "f", (-25, 25)),
)
ENTITY_FIELDS: Final = len(ENTITY)
