"""Load and save networks without ever unpickling code.

Three layouts are read: our own safetensors; the published ``.pth`` (a torch dictionary with
``model_state_dict``); and the ``.zip`` that stable-baselines3 saves, for the policy class of our
training or its own ``CnnPolicy`` (see :mod:`agents.checkpoints.sb3_zip`). Of torch files only tensors and
plain containers are let through (see :mod:`agents.checkpoints.torch_files`). Architecture and widths are read
from the weights (see :mod:`agents.checkpoints.registry`).
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

from agents.checkpoints.torch_files import tensors_of
from agents.checkpoints.zip_members import zip_member
from agents.networks.impala import ImpalaPolicyNet
from envs.errors import InputError, one_line
from envs.files import write_atomic

SUFFIXES = (".safetensors", ".pth", ".pt", ".zip")
MAX_BYTES = 2**30
FACT_BYTES = 2**24  # of the JSON in a .zip, which takes some 25 times that when read
FORMAT = "mazesteer-impala-1"


def read_weights(data: bytes, path: Path) -> dict[str, Tensor]:
    """Return the tensors of a checkpoint file by published key; the layout is told by the file's suffix."""
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
    """
    data = _ordered(
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
    """
    if path.suffix != ".pth":
        raise InputError(f"{path}: the published layout is a .pth file; end the name in .pth")
    buffer = io.BytesIO()
    torch.save({"model_state_dict": _weights(net, torch.float32)}, buffer)
    write_atomic(path, buffer.getvalue())


def _weights(net: ImpalaPolicyNet, dtype: torch.dtype) -> dict[str, Tensor]:
    return {key: value.detach().cpu().to(dtype).contiguous() for key, value in net.state_dict().items()}


def _ordered(data: bytes) -> bytes:
    """Return the safetensors file with its metadata in order, which the library leaves to chance."""
    (length,) = struct.unpack_from("<Q", data)
    header = json.loads(data[8 : 8 + length])
    header["__metadata__"] = dict(sorted(header["__metadata__"].items()))
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    return struct.pack("<Q", len(text)) + text + data[8 + length :]
