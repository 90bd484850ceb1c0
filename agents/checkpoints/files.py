"""Load and save networks without ever unpickling code.

Three layouts are read: our own safetensors; the published ``.pth`` (a torch dictionary with
``model_state_dict``); and the ``.zip`` that stable-baselines3 saves, for the policy class of our
training or its own ``CnnPolicy`` (see :mod:`agents.checkpoints.sb3_data`). They are told apart by
content, whatever a file is called. Of torch files only tensors and plain containers are let through
(see :mod:`agents.untrusted.torch_files`). Architecture and widths are read from the weights (see
:mod:`agents.checkpoints.registry`).
"""

from __future__ import annotations

import hashlib
import io
import json
import struct
from collections.abc import Mapping
from pathlib import Path

import safetensors.torch
import torch
from torch import Tensor

from agents.networks.impala import ImpalaPolicyNet
from agents.untrusted.torch_files import tensors_of, unwrapped
from envs.errors import InputError, one_line
from envs.files import write_atomic
from envs.stored.sources import MOST_WEIGHTS
from envs.stored.zip_members import check_zip, zip_member

# A folder is searched for these, in small letters and large; what a named file is, its content tells.
SUFFIXES = (".safetensors", ".pth", ".pt", ".zip", ".ckpt", ".bin", ".pth.tar", ".pt.tar")
FACT_BYTES = 2**24  # of the JSON in a .zip, which takes some 25 times that when read
POLICY = "policy.pth"  # the member of a stable-baselines3 .zip that holds the tensors
FORMAT = "mazesteer-impala-1"


def read_weights(data: bytes, path: Path) -> dict[str, Tensor]:
    """Return the tensors of a checkpoint file by published key; the layout is told by its content."""
    called_so = path.suffix.lower() == ".safetensors" and data[:2] not in (b"PK", b"\x80\x02")
    if _is_safetensors(data) or called_so:
        try:
            weights = safetensors.torch.load(data)
        except Exception as error:  # of the library and of torch, for numbers and shapes that are none
            raise InputError(f"checkpoint {path}: not a whole safetensors file ({one_line(error)})") from None
        return unwrapped(weights, path)
    if data[:2] == b"PK":
        inside = check_zip(data, f"checkpoint {path}", MOST_WEIGHTS).namelist()
        if POLICY in inside or not any(name.endswith("data.pkl") for name in inside):
            return tensors_of(zip_member(data, f"checkpoint {path}", POLICY, MOST_WEIGHTS), path, MOST_WEIGHTS)
    return tensors_of(data, path, MOST_WEIGHTS)


def read_facts(data: bytes, path: Path) -> bytes | None:
    """Return the member ``data`` of a stable-baselines3 ``.zip``; None for any other file, and one that has none."""
    if data[:2] != b"PK" or not {POLICY, "data"} <= set(check_zip(data, f"checkpoint {path}", MOST_WEIGHTS).namelist()):
        return None
    return zip_member(data, f"checkpoint {path}", "data", MOST_WEIGHTS, FACT_BYTES)


def without_suffix(path: Path) -> str:
    """Return a checkpoint's name: that of its file, without one of :data:`SUFFIXES` in small letters or large."""
    suffix = next((each for each in sorted(SUFFIXES, key=len, reverse=True) if has_suffix(path, each)), path.suffix)
    return path.name[: len(path.name) - len(suffix)] or path.name


def has_suffix(path: Path, *suffixes: str) -> bool:
    """Return whether the file is called like a checkpoint, or as in ``suffixes``, in small letters or large."""
    return path.name.lower().endswith(suffixes or SUFFIXES)


def _is_safetensors(data: bytes) -> bool:
    """Return whether the file begins with a length that it has, and JSON."""
    return data[8:9] == b"{" and int.from_bytes(data[:8], "little") <= len(data)


def save_checkpoint(
    net: ImpalaPolicyNet,
    path: Path,
    metadata: Mapping[str, str] | None = None,
    dtype: torch.dtype = torch.float32,
) -> str:
    """Write a network as safetensors, whole or not at all.

    Args:
        net: the network; its device and memory layout do not matter.
        path: the file; its folder is made if it is missing.
        metadata: texts for the file's header, beside its format and the network's scale.
        dtype: number type of the stored weights.

    Returns:
        The sha256 of the file, 64 hexadecimal digits; the same weights and metadata give the same bytes.

    Raises:
        InputError: the file cannot be written.

    Example:
        >>> from pathlib import Path
        >>> digest = save_checkpoint(ImpalaPolicyNet(1), Path("mine.safetensors"))
        >>> load_policy("mine.safetensors").sha256 == digest
        True
    """
    data = with_ordered_metadata(
        safetensors.torch.save(_weights(net, dtype), {"format": FORMAT, "scale": str(net.scale), **(metadata or {})})
    )
    write_atomic(path, data)
    return hashlib.sha256(data).hexdigest()


def export_checkpoint(net: ImpalaPolicyNet, path: Path) -> None:
    """Write the published ``.pth`` layout: a torch dictionary with ``model_state_dict``.

    Keys, shapes and float32 are those of the published agents (Langosco et al. 2022, arXiv 2105.14111);
    ``optimizer_state_dict``, which only continued training needs, is left out.

    Args:
        net: the network.
        path: the file, its name ending in ``.pth``.

    Raises:
        InputError: another suffix, or the file cannot be written.

    Example:
        >>> from pathlib import Path
        >>> export_checkpoint(ImpalaPolicyNet(1), Path("mine.pth"))
        >>> load_policy("mine.pth").name
        'mine'
    """
    if path.suffix != ".pth":
        raise InputError(f"{path}: the published layout is a .pth file; end the name in .pth")
    buffer = io.BytesIO()
    torch.save({"model_state_dict": _weights(net, torch.float32)}, buffer)
    write_atomic(path, buffer.getvalue())


def _weights(net: ImpalaPolicyNet, dtype: torch.dtype) -> dict[str, Tensor]:
    return {key: value.detach().cpu().to(dtype).contiguous() for key, value in net.state_dict().items()}


def with_ordered_metadata(data: bytes) -> bytes:
    """Return the safetensors file with its metadata in order, which the library leaves to chance."""
    (length,) = struct.unpack_from("<Q", data)
    header = json.loads(data[8 : 8 + length])
    header["__metadata__"] = dict(sorted(header["__metadata__"].items()))
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    return struct.pack("<Q", len(text)) + text + data[8 + length :]
