"""Load and save networks without ever unpickling code.

Three layouts are read: our own safetensors; the published ``.pth`` (a torch dictionary with
``model_state_dict``); and the ``.zip`` that stable-baselines3 saves, for the policy class of our
training or its own ``CnnPolicy`` (see :mod:`agents.sb3_zip`). Of torch files only tensors and
plain containers are let through (see :mod:`agents.torch_files`). Architecture and widths are read
from the weights.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
import struct
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import safetensors
import safetensors.torch
import torch
from torch import Tensor, nn

from agents.networks.impala import ImpalaPolicyNet
from agents.networks.policy import MazePolicy
from agents.sb3_zip import is_sb3, network_from_sb3
from agents.torch_files import tensors_of
from agents.weights import fill, shown
from agents.zip_members import zip_member
from envs.errors import InputError, nearest, one_line
from envs.files import write_atomic

ZOO = Path(__file__).parent / "zoo"
SERIES = "-series"  # what the folder of a checkpoint's snapshots adds to its name
SUFFIXES = (".safetensors", ".pth", ".pt", ".zip")
MAX_BYTES = 2**30
FACT_BYTES = 2**24  # of the JSON in a .zip, which takes some 25 times that when read
FORMAT = "mazesteer-impala-1"
_WIDTH_KEY = "embedder.block1.conv.weight"


def zoo_names() -> list[str]:
    """Names of the shipped checkpoints."""
    return sorted(path.stem for path in ZOO.glob("*.safetensors"))


def load_card(name: str) -> dict[str, Any]:
    """The model card shipped beside a zoo checkpoint."""
    card: dict[str, Any] = json.loads((ZOO / f"{name}.json").read_text())
    return card


def zoo_snapshots(name: str) -> dict[int, dict[str, Any]]:
    """The developmental series of a shipped checkpoint: rows of its training history by count.

    ``load_policy("NAME@COUNT")`` loads one. Empty if the series of ``name`` is not shipped.
    """
    path = ZOO / f"{name}{SERIES}" / "series.json"
    if not path.is_file():
        return {}
    return {int(row["count"]): row for row in json.loads(path.read_text())["snapshots"]}


def _load_snapshot(name: str, count: str) -> MazePolicy:
    series = zoo_snapshots(name)
    row = series.get(int(count)) if count.isdecimal() and len(count) < 16 else None
    if row is None:
        known = ", ".join(map(str, sorted(series))) or "none is shipped"
        raise InputError(f"checkpoint {name}@{count[:80]}: no such snapshot of {name}; its counts: {known}")
    return _as_on_card(_load_file(checkpoint_file(f"{name}@{count}"), name=f"{name}@{count}", card=row))


def _as_on_card(policy: MazePolicy) -> MazePolicy:
    if policy.card.get("sha256") != policy.sha256:
        raise InputError(f"checkpoint {policy.name}: its sha256 is not the one on its card; reinstall mazesteer")
    return policy


def load_policy(checkpoint: str | os.PathLike[str]) -> MazePolicy:
    """A policy by zoo name, snapshot of one (``region5@131072``), or file.

    Raises :class:`InputError` with one line if there is no such name or file, or if the file is
    damaged, holds code, is of another architecture or holds NaN or infinite weights.
    """
    text = os.fspath(checkpoint)
    shipped = zoo_names()
    name, at, count = text.partition("@")
    if text in shipped:
        return _as_on_card(_load_file(checkpoint_file(text), name=text, card=load_card(text)))
    if at and name in shipped:
        return _load_snapshot(name, count)
    path = Path(text)
    try:
        is_file = path.is_file()
    except OSError as error:
        raise InputError(f"checkpoint {text[:80]}: cannot be a file name ({error.strerror})") from None
    if is_file:
        return _load_file(path, name=path.stem, card={})
    if path.suffix in SUFFIXES or os.sep in text:
        raise InputError(f"checkpoint {text}: no such file")
    raise InputError(f"checkpoint {text!r} is neither a shipped name nor a file; {nearest(text, shipped)}")


def _load_file(path: Path, name: str, card: dict[str, Any]) -> MazePolicy:
    if path.stat().st_size > MAX_BYTES:
        raise InputError(
            f"checkpoint {path}: {path.stat().st_size} bytes is more than such a network has ({MAX_BYTES})"
        )
    try:
        data = path.read_bytes()
    except OSError as error:
        raise InputError(f"checkpoint {path}: cannot be read ({error.strerror})") from None
    return _policy(data, path, name, card or _card_beside(path, data))


def _card_beside(path: Path, data: bytes) -> dict[str, Any]:
    """The card that a training of one's own wrote beside its weights; empty if there is none of these weights."""
    try:
        with open(path.with_suffix(".json"), "rb") as file:
            card = json.loads(file.read(FACT_BYTES))
    except (OSError, ValueError, RecursionError):
        return {}
    ours = isinstance(card, dict) and card.get("sha256") == hashlib.sha256(data).hexdigest()
    figures = card.get("figures") if ours else None
    return card if isinstance(figures, dict) and _can_be_asked(figures) else {}


def _can_be_asked(figures: Mapping[str, Any]) -> bool:
    """Whether a card's figures say what they are figures of, so that they can be computed again."""
    levels, region = figures.get("levels"), figures.get("region", "missing")
    numbers = [figures.get("horizon"), figures.get("seed"), *(levels if isinstance(levels, list) else [])]
    return len(numbers) == 4 and all(type(n) is int for n in numbers) and (region is None or type(region) is int)


def _policy(data: bytes, path: Path, name: str, card: dict[str, Any]) -> MazePolicy:
    weights = read_weights(data, path)
    net: nn.Module
    if is_sb3(weights):
        facts = zip_member(data, path, "data", MAX_BYTES, FACT_BYTES, needed=False) if path.suffix == ".zip" else b""
        net = network_from_sb3(weights, facts or None, str(path))
    else:
        net = network_from_weights(weights, str(path))
    return MazePolicy(net, name, hashlib.sha256(data).hexdigest(), card)


def policy_from_bytes(data: bytes, suffix: str, name: str) -> MazePolicy:
    """The policy in the bytes of a checkpoint file with that suffix; raises as :func:`load_policy` does."""
    return _policy(data, Path(name + suffix), name, {})


def checkpoint_file(checkpoint: str | os.PathLike[str]) -> Path:
    """The file that :func:`load_policy` reads for a name, a snapshot of one, or a file; it need not exist."""
    text = os.fspath(checkpoint)
    name, at, count = text.partition("@")
    if text in zoo_names():
        return ZOO / f"{text}.safetensors"
    row = zoo_snapshots(name).get(int(count)) if at and count.isdecimal() else None
    return ZOO / f"{name}{SERIES}" / row["file"] if row is not None else Path(text)


def read_weights(data: bytes, path: Path) -> dict[str, Tensor]:
    """Tensors of a checkpoint file by published key; the layout is told by the file's suffix."""
    if path.suffix == ".safetensors":
        try:
            return safetensors.torch.load(data)
        except Exception as error:  # of the library and of torch, for numbers and shapes that are none
            raise InputError(f"checkpoint {path}: not a whole safetensors file ({one_line(error)})") from None
    if path.suffix in (".pth", ".pt"):
        return tensors_of(data, path, MAX_BYTES)
    if path.suffix == ".zip":
        return tensors_of(zip_member(data, path, "policy.pth", MAX_BYTES), path, MAX_BYTES)
    raise InputError(f"checkpoint {path}: unknown suffix; known: {', '.join(SUFFIXES)}")


def network_from_weights(weights: Mapping[str, Tensor], where: str) -> ImpalaPolicyNet:
    """The network for tensors under published keys; the scale is read from the first convolution.

    Raises :class:`InputError` that names the first key that is missing, foreign, of another
    shape, or not finite.
    """
    first = weights.get(_WIDTH_KEY)
    if first is None:
        some = ", ".join(map(shown, list(weights)[:3])) or "none"
        raise InputError(f"checkpoint {where}: no {_WIDTH_KEY}: not the published IMPALA network (keys: {some})")
    scale = max(first.shape[0] // 16, 1) if first.ndim == 4 else 1
    if scale > 64:
        raise InputError(f"checkpoint {where}: {_WIDTH_KEY} has {first.shape[0]} channels, at most 1024 make sense")
    with torch.device("meta"):
        net = ImpalaPolicyNet(scale)
    fill(net, weights, where)
    return net


def published_net(policy: MazePolicy) -> ImpalaPolicyNet:
    """The policy's network; raises :class:`InputError` if it is of another architecture than the published."""
    if not isinstance(policy.net, ImpalaPolicyNet):
        raise InputError(f"policy {policy.name}: a {type(policy.net).__name__}, expected the published IMPALA network")
    return policy.net


def save_checkpoint(
    net: ImpalaPolicyNet,
    path: Path,
    metadata: Mapping[str, str] | None = None,
    dtype: torch.dtype = torch.float32,
) -> str:
    """Write safetensors (whole or not at all) and return the file's sha256."""
    data = _ordered(
        safetensors.torch.save(_weights(net, dtype), {"format": FORMAT, "scale": str(net.scale), **(metadata or {})})
    )
    write_atomic(path, data)
    return hashlib.sha256(data).hexdigest()


def export_checkpoint(net: ImpalaPolicyNet, path: Path) -> None:
    """Write the published ``.pth`` layout: a torch dictionary with ``model_state_dict``.

    Keys, shapes and float32 are the published agent's (``optimizer_state_dict``, which nothing
    but continued training needs, is left out). Raises :class:`InputError` for another suffix.
    """
    if path.suffix != ".pth":
        raise InputError(f"{path}: the published layout is a .pth file; end the name in .pth")
    buffer = io.BytesIO()
    torch.save({"model_state_dict": _weights(net, torch.float32)}, buffer)
    write_atomic(path, buffer.getvalue())


def _weights(net: ImpalaPolicyNet, dtype: torch.dtype) -> dict[str, Tensor]:
    return {key: value.detach().cpu().to(dtype).contiguous() for key, value in net.state_dict().items()}


def _ordered(data: bytes) -> bytes:
    """The safetensors file with its metadata in order, which the library leaves to chance."""
    (length,) = struct.unpack_from("<Q", data)
    header = json.loads(data[8 : 8 + length])
    header["__metadata__"] = dict(sorted(header["__metadata__"].items()))
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    return struct.pack("<Q", len(text)) + text + data[8 + length :]
