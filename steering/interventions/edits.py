"""Interventions: frozen, hashable specs of what is done to activations.

One object is the store's key, the film's caption and the report's row. Interventions compose:
``subtract(v) + patch(w)`` does both, in this order at a shared site.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from envs.errors import InputError, check_kind
from envs.maze import State
from steering.interventions.edit_kinds import WITH_VECTOR, Ablate, AddVector, AnyEdit, AtMouse, Clamp, Patch, acting
from steering.interventions.hooks import Edit, chained
from steering.interventions.places import PatchPlace
from steering.interventions.sites import Site
from steering.interventions.vectors import SteeringVector


@dataclass(frozen=True)
class Intervention:
    """A sequence of edits; ``Intervention()`` changes nothing, ``a + b`` does both.

    Raises:
        InputError: by the edits, for a coefficient or value that is not finite, or channels or an index that no site
            has. An edit that does not fit the network's site raises it when it is applied.

    Example:
        >>> (ablate("input", (0,)) + clamp("embedder.fc", (0,), 1.0)).sites
        ('input', 'embedder.fc')
    """

    edits: tuple[AnyEdit, ...] = ()
    """The edits, in the order in which they act at a shared site."""

    def __add__(self, other: Intervention) -> Intervention:
        check_kind(isinstance(other, Intervention), other, "an intervention", "intervention +")
        return Intervention(self.edits + other.edits)

    @property
    def sites(self) -> tuple[str, ...]:
        """Return the names of the sites edited, each once, in order."""
        return tuple(dict.fromkeys(edit.site for edit in self.edits))

    @property
    def vectors(self) -> dict[str, SteeringVector]:
        """Return the vectors used, by digest: what :meth:`from_json` asks for."""
        done = [acting(edit) for edit in self.edits]
        return {edit.vector.digest: edit.vector for edit in done if isinstance(edit, WITH_VECTOR)}

    def by_site(self, states: Sequence[State] | None = None) -> dict[str, Edit]:
        """Return one function per site that applies the site's edits in order.

        Args:
            states: the state of each frame of the batch that is edited; None: not known.

        Raises:
            InputError: for an edit at the mouse, if the states are not known.
        """
        grouped: dict[str, list[Edit]] = {}
        for edit in self.edits:
            if isinstance(edit, AtMouse):
                if states is None:
                    raise InputError("an edit at the mouse needs the states of its frames; give by_site() these")
                grouped.setdefault(edit.site, []).append(edit.at(states))
            else:
                grouped.setdefault(edit.site, []).append(edit)
        return {site: chained(tuple(edits)) for site, edits in grouped.items()}

    def describe(self) -> str:
        """Return a short text for captions, e.g. ``-1 x cheese @ embedder.block2.res1.resadd``."""
        return "; ".join(edit.describe() for edit in self.edits) or "no intervention"

    def to_json(self) -> dict[str, Any]:
        """Return plain data; vectors are referred to by digest and carry their provenance."""
        return {"edits": [_entry(edit) for edit in self.edits]}

    @classmethod
    def from_json(cls, data: Mapping[str, Any], vectors: Mapping[str, SteeringVector]) -> Intervention:
        """Return the intervention that :meth:`to_json` gave ``data`` for.

        Args:
            data: the plain data.
            vectors: the vectors used, by digest.

        Raises:
            InputError: for an unknown kind, a missing field or vector, or a site that differs.
        """
        return cls(tuple(_edit(entry, vectors) for entry in data.get("edits", ())))


def subtract(vector: SteeringVector, coefficient: float = 1.0) -> Intervention:
    """Return the intervention that subtracts ``coefficient * vector`` in every state.

    Args:
        vector: of the shape of its site, which is where it is subtracted.
        coefficient: a finite number.

    Raises:
        InputError: for a coefficient that is not finite.

    Example:
        >>> subtract(SteeringVector("embedder.fc", np.ones(256)), 2).describe()
        '-2 x given @ embedder.fc'

    Source: Turner et al. 2023.
    """
    return Intervention((AddVector(vector, -coefficient),))


def add(vector: SteeringVector, coefficient: float = 1.0) -> Intervention:
    """Return the intervention that adds ``coefficient * vector`` in every state.

    Args:
        vector: of the shape of its site, which is where it is added.
        coefficient: a finite number.

    Raises:
        InputError: for a coefficient that is not finite.

    Example:
        >>> add(SteeringVector("embedder.fc", np.ones(256))).describe()
        '+1 x given @ embedder.fc'
    """
    return Intervention((AddVector(vector, coefficient),))


def patch(vector: SteeringVector, channels: tuple[int, ...] | None = None) -> Intervention:
    """Return the intervention that replaces the activation of every state by ``vector``.

    Args:
        vector: of the shape of its site, such as :func:`steering.interventions.vectors.activation`.
        channels: indices of the site's first axis to replace; None: the whole site.

    Raises:
        InputError: for channels that the vector lacks, that repeat, or none.

    Example:
        >>> patch(SteeringVector("embedder.fc", np.ones(256))).describe()
        'patch with given @ embedder.fc'
    """
    return Intervention((Patch(vector, channels),))


def patch_place(site: Site, vector: SteeringVector, blocks: Iterable[tuple[int, int]]) -> Intervention:
    """Return the intervention that puts the activation ``vector`` into a place of every state: located patching.

    Args:
        site: a map; that of the vector.
        vector: the activation to put there, of the site's shape.
        blocks: row and column of the place's blocks of 8x8 pixels, 0 to 7, from the top left.

    Raises:
        InputError: for a site without places, or blocks that are none of the picture or repeat.
    """
    return Intervention((PatchPlace.at(site, vector, blocks),))


def ablate(site: str, channels: tuple[int, ...] | None = None) -> Intervention:
    """Return the intervention that sets channels of a site to zero in every state.

    For mean ablation :func:`patch` a :func:`steering.interventions.vectors.mean_activation`.

    Args:
        site: name of the site.
        channels: indices of its first axis; None: all.

    Raises:
        InputError: for channels that repeat, are negative, or none.

    Example:
        >>> ablate("embedder.block3.conv", (3, 7)).describe()
        'zero channels 3,7 @ embedder.block3.conv'
    """
    return Intervention((Ablate(site, channels),))


def clamp(site: str, index: tuple[int, ...], value: float) -> Intervention:
    """Return the intervention that sets one activation in every state: retargeting (Turner et al. 2023).

    Args:
        site: name of the site.
        index: position on each of its axes, e.g. ``(channel, row, column)``.
        value: the activation there, a finite number.

    Raises:
        InputError: for a negative or empty index, or a value that is not finite.

    Example:
        >>> clamp("embedder.block2.res1.resadd", (5, 4, 9), 5.6).describe()
        'clamp (5, 4, 9) to 5.6 @ embedder.block2.res1.resadd'
    """
    return Intervention((Clamp(site, index, value),))


def _entry(edit: AnyEdit) -> dict[str, Any]:
    entry: dict[str, Any] = {"kind": edit.kind, "site": edit.site}
    if isinstance(edit, AtMouse):
        entry |= {name: list(getattr(edit, name)) for name in ("rows", "columns")}
        entry |= {"world": edit.world, "margin": edit.margin, "edit": _entry(edit.edit)}
    if isinstance(edit, AddVector):
        entry["coefficient"] = edit.coefficient
    if isinstance(edit, Patch | Ablate):
        entry["channels"] = list(edit.channels) if edit.channels is not None else None
    if isinstance(edit, Clamp):
        entry |= {"index": list(edit.index), "value": edit.value}
    if isinstance(edit, PatchPlace):
        entry |= {"blocks": [list(block) for block in edit.blocks], "units": list(edit.units)}
    if isinstance(edit, WITH_VECTOR):
        entry |= {"vector": edit.vector.digest, "provenance": edit.vector.provenance}
    return entry


def _edit(entry: Mapping[str, Any], vectors: Mapping[str, SteeringVector]) -> AnyEdit:
    def vector() -> SteeringVector:
        found = vectors.get(entry["vector"])
        if found is None or found.site != entry["site"]:
            raise InputError(f"intervention: no vector {entry['vector']} for site {entry['site']}; load it first")
        return found

    def channels() -> tuple[int, ...] | None:
        return None if entry["channels"] is None else tuple(int(c) for c in entry["channels"])

    def at_mouse() -> AtMouse:
        done = _edit(entry["edit"], vectors)
        if not isinstance(done, AddVector | Patch | Ablate):
            raise InputError(f"intervention: {done.kind} is none of the edits that are done at the mouse")
        rows, columns = (tuple(int(i) for i in entry[name]) for name in ("rows", "columns"))
        return AtMouse(done, rows, columns, int(entry["world"]), int(entry["margin"]))

    kinds: dict[str, Callable[[], AnyEdit]] = {
        AtMouse.kind: at_mouse,
        AddVector.kind: lambda: AddVector(vector(), float(entry["coefficient"])),
        Patch.kind: lambda: Patch(vector(), channels()),
        PatchPlace.kind: lambda: PatchPlace(
            vector(),
            tuple((int(row), int(column)) for row, column in entry["blocks"]),
            (float(entry["units"][0]), int(entry["units"][1])),
        ),
        Ablate.kind: lambda: Ablate(str(entry["site"]), channels()),
        Clamp.kind: lambda: Clamp(str(entry["site"]), tuple(int(i) for i in entry["index"]), float(entry["value"])),
    }
    if entry.get("kind") not in kinds:
        raise InputError(f"intervention: unknown kind {entry.get('kind')!r}; known: {', '.join(kinds)}")
    try:
        return kinds[entry["kind"]]()
    except (KeyError, TypeError, ValueError, IndexError) as error:
        raise InputError(f"intervention: {entry['kind']} has no usable {error}") from None
