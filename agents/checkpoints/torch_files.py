"""Tensors of a torch file (``.pth``, or ``policy.pth`` within a ``.zip``) that may be anybody's.

The file is checked before torch reads it (:mod:`agents.checkpoints.torch_pickles`), and what torch made of it after.
"""

from __future__ import annotations

import io
import pickle
import warnings
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from agents.checkpoints.torch_pickles import check_pickles, not_tensors
from agents.checkpoints.weights import shown
from agents.checkpoints.zip_members import stored
from envs.errors import InputError, one_line


def tensors_of(data: bytes, path: Path, most: int) -> dict[str, Tensor]:
    """Return the tensors of a torch dictionary, or of its ``model_state_dict``, its keys without wrapping prefixes.

    Raises :class:`InputError` with one line if the file is damaged, holds code or other things than dense
    tensors, or has tensors of more than ``most`` bytes in float32.
    """
    loaded = _load(data, path, most)
    if isinstance(loaded, dict) and isinstance(dict.get(loaded, "model_state_dict"), dict):
        loaded = dict.get(loaded, "model_state_dict")
    if not isinstance(loaded, dict):
        raise InputError(f"checkpoint {path}: holds a {type(loaded).__name__}, expected a dictionary of tensors")
    weights: dict[str, Tensor] = {}
    size = 0
    for key, value in dict.items(loaded):  # not by its own attributes, which a file may set
        if type(key) is not str:
            raise InputError(f"checkpoint {path}: a key is {shown(key)} ({type(key).__name__}), expected text")
        if type(value) not in (Tensor, torch.nn.Parameter):
            raise InputError(f"checkpoint {path}: {shown(key)} is a {type(value).__name__}, expected a tensor")
        tensor = value.detach()
        size += tensor.numel() * max(tensor.element_size(), torch.float32.itemsize)  # as it is used, not as stored
        if size > most:
            raise InputError(f"checkpoint {path}: its tensors have more than {most} bytes; not loaded")
        dense = tensor.layout is torch.strided and tensor.device.type == "cpu" and not tensor.is_nested
        if not dense or tensor.untyped_storage().nbytes() < tensor.numel() * tensor.element_size():
            raise InputError(f"checkpoint {path}: {shown(key)} is a tensor without its numbers, expected a dense one")
        name = key
        for prefix in ("module.", "net."):
            name = name.removeprefix(prefix)
        if name in weights:
            raise InputError(f"checkpoint {path}: two tensors are called {shown(name)}, expected one")
        weights[name] = tensor.resolve_neg()  # a bit that says "all with the other sign" is lost elsewhere
    return weights


def _load(data: bytes, path: Path, most: int) -> Any:
    if data[:2] == b"PK":  # by its first bytes torch takes it for a zip
        data = stored(data, path, most)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # torch remarks on pickle protocols, pickletools on escapes
            check_pickles(data, path)
            return torch.load(io.BytesIO(data), map_location="cpu", weights_only=True)
    except InputError:
        raise
    except pickle.UnpicklingError:
        raise not_tensors(path) from None
    except Exception as error:  # torch raises many kinds for a damaged file; none of them may escape
        raise InputError(f"checkpoint {path}: damaged or not a torch file ({one_line(error)})") from None
