"""What a user states of a checkpoint that does not say it itself (no torch)."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TypeVar

from envs.errors import InputError, nearest

# The classes of torch.nn that may stand between extractor and heads, by the names that users type.
ACTIVATIONS = {
    "tanh": "Tanh",
    "relu": "ReLU",
    "elu": "ELU",
    "leaky_relu": "LeakyReLU",
    "gelu": "GELU",
    "silu": "SiLU",
    "sigmoid": "Sigmoid",
    "mish": "Mish",
    "relu6": "ReLU6",
    "selu": "SELU",
    "celu": "CELU",
    "softplus": "Softplus",
    "softsign": "Softsign",
    "hardtanh": "Hardtanh",
    "hardswish": "Hardswish",
    "hardsigmoid": "Hardsigmoid",
}
SCALES = (255, 1)
_DEFAULTS = ("tanh", 255)  # of stable-baselines3
_MISSING = (
    "the activation of the layers after the extractor (--activation tanh, relu, ...)",
    "what frames were divided by (--scale-pixels 255, the default of stable-baselines3, or 1)",
)
_Fact = TypeVar("_Fact", str, int)


@dataclass(frozen=True)
class Stated:
    """Facts about a network that its user states where the file is silent."""

    activation: str | None = None
    """Activation of the layers between extractor and heads, one of :data:`ACTIVATIONS`; null: not stated."""
    scale_pixels: int | None = None
    """Divisor of the frames, one of :data:`SCALES`; null: not stated."""
    sure: bool = True
    """True: an error where the file says otherwise; False: used only where the file is silent."""

    def __post_init__(self) -> None:
        if self.activation not in (None, *ACTIVATIONS):
            raise InputError(
                f"--activation {str(self.activation)[:80]!r}: {nearest(str(self.activation), ACTIVATIONS)}"
            )
        if self.scale_pixels is not None and (type(self.scale_pixels) is not int or self.scale_pixels not in SCALES):
            shown = str(self.scale_pixels)[:80]
            raise InputError(f"--scale-pixels {shown}: give 255 (frames were divided by 255) or 1 (left as they are)")


NOTHING = Stated()
EARLIER_RULE = Stated(*_DEFAULTS, sure=False)
"""What versions before these statements took for granted, and so what their runs were computed with."""


@dataclass(frozen=True)
class SavedPolicy:
    """What a ``.zip`` of stable-baselines3 says of its policy."""

    name: str
    """Module and name of its class."""
    ours: bool
    """True for the class of this package, False for those of stable-baselines3."""
    activation: str
    """Activation of the layers between extractor and heads, one of :data:`ACTIVATIONS`."""
    scale_pixels: int
    """Divisor of the frames, one of :data:`SCALES`."""


class Origin:
    """The file that weights come from: its name, its own words, and its user's.

    Args:
        where: the file's name in error lines.
        saved: what a ``.zip`` of stable-baselines3 says of its policy; None for any other file.
        stated: what the user states.
    """

    def __init__(self, where: str, saved: SavedPolicy | None = None, stated: Stated = NOTHING) -> None:
        self.where = where
        self.saved = saved
        self._stated = stated
        self._taken: tuple[str | None, int | None] | None = None

    def settle(self, activation: str | None, scale_pixels: int | None) -> tuple[str, int]:
        """Return activation and divisor of the network: as the file says, else as the user states.

        Args:
            activation: the file's; None if it does not say.
            scale_pixels: the file's; None if it does not say.

        Raises:
            InputError: neither says it, or the two differ.
        """
        stated = self._stated
        found_activation = self._agreed("--activation", activation, stated.activation)
        found_scale = self._agreed("--scale-pixels", scale_pixels, stated.scale_pixels)
        if found_activation is None or found_scale is None:
            pairs = zip(_MISSING, (found_activation, found_scale), strict=True)
            what = " and ".join(text for text, found in pairs if found is None)
            raise InputError(f"checkpoint {self.where}: its tensors do not tell {what}; state what it was trained with")
        self._taken = (
            stated.activation if activation is None else None,
            stated.scale_pixels if scale_pixels is None else None,
        )
        return found_activation, found_scale

    def _agreed(self, option: str, known: _Fact | None, said: _Fact | None) -> _Fact | None:
        if known is None:
            return said
        if said not in (None, known) and self._stated.sure:
            raise InputError(f"checkpoint {self.where}: {option} {said}, but this network has {known}; leave it out")
        return known

    def check_used(self, network: str) -> None:
        """Raise :class:`InputError` if the user stated something of a network of which nothing is to be stated."""
        asked = self._stated.sure and (self._stated.activation, self._stated.scale_pixels) != (None, None)
        if self._taken is None and asked:
            raise InputError(
                f"checkpoint {self.where}: --activation and --scale-pixels are not for {network}; leave them out"
            )

    def identity(self, data: bytes) -> str:
        """Return the digest that identifies the network: the file's, or that of the file and what was stated of it.

        Two networks of one file have two; what is the default of stable-baselines3, or said by the file, adds nothing.
        """
        digest = hashlib.sha256(data).hexdigest()
        words = zip(("activation", "scale_pixels"), self._taken or (None, None), _DEFAULTS, strict=True)
        more = [f" {name}={said}" for name, said, default in words if said not in (None, default)]
        return hashlib.sha256((digest + "".join(more)).encode()).hexdigest() if more else digest
