"""Policies by shipped name, snapshot or file."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path
from typing import Any

from agents.checkpoints.cards import CardHead, checkpoint_file, load_card, zoo_names, zoo_snapshots
from agents.checkpoints.files import has_suffix, read_facts, read_weights, without_suffix
from agents.checkpoints.registry import network_from_weights
from agents.checkpoints.sb3_data import saved_policy
from agents.checkpoints.stated import NOTHING, Origin, Stated
from agents.networks.policy import MazePolicy
from envs.errors import InputError, check_kind, nearest
from envs.stored.json_records import from_plain, read_json
from envs.stored.sources import MOST_WEIGHTS


def _load_snapshot(name: str, count: str, stated: Stated) -> MazePolicy:
    series = zoo_snapshots(name)
    row = series.get(int(count)) if count.isdecimal() and len(count) < 16 else None
    if row is None:
        known = ", ".join(map(str, sorted(series))) or "none is shipped"
        raise InputError(f"checkpoint {name}@{count[:80]}: no such snapshot of {name}; its counts: {known}")
    return _as_on_card(_load_file(checkpoint_file(f"{name}@{count}"), f"{name}@{count}", row, stated))


def _as_on_card(policy: MazePolicy) -> MazePolicy:
    if policy.card.get("sha256") != policy.sha256:
        raise InputError(f"checkpoint {policy.name}: its sha256 is not the one on its card; reinstall mazesteer")
    return policy


def load_policy(
    checkpoint: str | os.PathLike[str], *, activation: str | None = None, scale_pixels: int | None = None
) -> MazePolicy:
    """Return a policy by zoo name, snapshot of one, or file.

    Args:
        checkpoint: one of :func:`agents.checkpoints.cards.zoo_names`, ``NAME@COUNT`` (``region5@131072``) for a
            snapshot, or the path of a safetensors file, a torch file of tensors or a stable-baselines3 ``.zip``.
        activation: activation of the layers between extractor and heads, one of
            :data:`agents.checkpoints.stated.ACTIVATIONS` such as ``"relu"``, where the file does not say it: in the
            state dict of a stable-baselines3 policy.
        scale_pixels: 255 for frames divided by 255, 1 for frames as they are, where the file does not say it.

    Returns:
        The policy on the CPU in eval mode, with its card (empty if it has none) and the sha256 of its file (of file and
        statements, where these are other than the defaults of stable-baselines3).

    Raises:
        InputError: there is no such name or file, or the file is damaged, holds code, is of another architecture,
            holds NaN or infinite weights, does not say what its network is, or says otherwise than is stated.

    Example:
        >>> load_policy("region5")
        MazePolicy 'region5', sha256 3ae07d4f4794: ImpalaPolicyNet with 626,256 parameters, modules
        embedder.block1.conv to fc_value (42)
    """
    return load_stated(checkpoint, Stated(activation, scale_pixels))


def load_stated(checkpoint: str | os.PathLike[str], stated: Stated) -> MazePolicy:
    """Return a policy as :func:`load_policy` does."""
    check_kind(isinstance(checkpoint, str | os.PathLike), checkpoint, "a shipped name or a file", "load_policy")
    text = os.fspath(checkpoint)
    shipped = zoo_names()
    name, at, count = text.partition("@")
    if text in shipped:
        return _as_on_card(_load_file(checkpoint_file(text), text, load_card(text), stated))
    if at and name in shipped:
        return _load_snapshot(name, count, stated)
    path = Path(text)
    try:
        is_file = path.is_file()
    except OSError as error:
        raise InputError(f"checkpoint {text[:80]}: cannot be a file name ({error.strerror})") from None
    if is_file:
        return _load_file(path, without_suffix(path), {}, stated)
    if has_suffix(path) or os.sep in text:
        raise InputError(f"checkpoint {text}: no such file")
    raise InputError(f"checkpoint {text!r} is neither a shipped name nor a file; {nearest(text, shipped)}")


def _load_file(path: Path, name: str, card: dict[str, Any], stated: Stated) -> MazePolicy:
    if path.stat().st_size > MOST_WEIGHTS:
        raise InputError(
            f"checkpoint {path}: {path.stat().st_size} bytes is more than such a network has ({MOST_WEIGHTS})"
        )
    try:
        data = path.read_bytes()
    except OSError as error:
        raise InputError(f"checkpoint {path}: cannot be read ({error.strerror})") from None
    return _policy(data, path, name, card or _card_beside(path, data), stated)


def _card_beside(path: Path, data: bytes) -> dict[str, Any]:
    """Return the card that a training of one's own wrote beside these weights; empty if there is none of them."""
    beside = path.with_suffix(".json")
    try:
        card: dict[str, Any] = read_json(beside)
        head = from_plain(card, CardHead, beside, partial=True)
    except InputError:  # whatever else a user keeps there
        return {}
    return card if head.sha256 == hashlib.sha256(data).hexdigest() else {}


def _policy(data: bytes, path: Path, name: str, card: dict[str, Any], stated: Stated) -> MazePolicy:
    weights, facts = read_weights(data, path), read_facts(data, path)
    origin = Origin(str(path), saved_policy(facts, str(path)) if facts is not None else None, stated)
    net = network_from_weights(weights, origin)
    return MazePolicy(net, name, origin.identity(data), card)


def policy_from_bytes(data: bytes, suffix: str, name: str, stated: Stated = NOTHING) -> MazePolicy:
    """Return the policy in the bytes of a checkpoint file; ``suffix`` is for error lines; as :func:`load_policy`."""
    return _policy(data, Path(name + suffix), name, {}, stated)
