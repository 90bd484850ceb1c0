"""Tensors of a torch file (``.pth``, or ``policy.pth`` within a ``.zip``) that may be anybody's.

The file is checked before torch reads it (:mod:`agents.untrusted.torch_pickles`), and what torch made of it after.
"""

from __future__ import annotations

import io
import pickle
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from agents.untrusted.torch_pickles import check_pickles, not_tensors
from envs.errors import InputError, one_line, shown
from envs.stored.zip_members import check_zip, stored

_TENSORS = (Tensor, torch.nn.Parameter)
_DEEPEST = 4  # of dictionaries in one another


def tensors_of(data: bytes, path: Path, most: int) -> dict[str, Tensor]:
    """Return the tensors of a torch dictionary, or of the one dictionary of tensors in it, without wrapping prefixes.

    Raises :class:`InputError` with one line if the file is damaged, holds code or other things than dense
    tensors, or has tensors of more than ``most`` bytes in float32.
    """
    loaded = _innermost(_load(data, path, most), path)
    if not isinstance(loaded, dict):
        raise InputError(f"checkpoint {path}: holds a {type(loaded).__name__}, expected a dictionary of tensors")
    weights: dict[str, Tensor] = {}
    size = 0
    for key, value in dict.items(loaded):  # not by its own attributes, which a file may set
        if type(key) is not str:
            raise InputError(f"checkpoint {path}: a key is {shown(key)} ({type(key).__name__}), expected text")
        if type(value) not in _TENSORS:
            raise InputError(f"checkpoint {path}: {shown(key)} is a {type(value).__name__}, expected a tensor")
        tensor = value.detach()
        size += tensor.numel() * max(tensor.element_size(), torch.float32.itemsize)  # as it is used, not as stored
        if size > most:
            raise InputError(f"checkpoint {path}: its tensors have more than {most} bytes; not loaded")
        dense = tensor.layout is torch.strided and tensor.device.type == "cpu" and not tensor.is_nested
        if not dense or tensor.untyped_storage().nbytes() < tensor.numel() * tensor.element_size():
            raise InputError(f"checkpoint {path}: {shown(key)} is a tensor without its numbers, expected a dense one")
        weights[key] = tensor.resolve_neg()  # a bit that says "all with the other sign" is lost elsewhere
    return unwrapped(weights, path)


def unwrapped(weights: Mapping[str, Tensor], path: Path) -> dict[str, Tensor]:
    """Return tensors by their names without what ``torch.compile``, ``DataParallel`` and our training's class add.

    Raises :class:`InputError` if two have one name then.
    """
    found: dict[str, Tensor] = {}
    for key, tensor in weights.items():
        parts = [part for part in key.split(".") if part != "_orig_mod"]
        while len(parts) > 1 and parts[0] in ("module", "net"):
            del parts[0]
        name = ".".join(parts)
        if name in found:
            raise InputError(f"checkpoint {path}: two tensors are called {shown(name)}, expected one")
        found[name] = tensor
    return found


def _innermost(loaded: Any, path: Path) -> Any:
    """Return the dictionary of tensors: the outer one, or the single one within; if there is, ``model_state_dict``.

    Tensors beside the one within are not of the network (a step count, the state of a generator), unless one has the
    dotted name of a module's.
    """
    for _ in range(_DEEPEST):
        if not isinstance(loaded, dict):
            return loaded
        published = dict.get(loaded, "model_state_dict")
        if isinstance(published, dict):  # whatever lies beside it, tensors too
            loaded = published
            continue
        own = [key for key, value in dict.items(loaded) if type(value) in _TENSORS]
        inner = {key: value for key, value in dict.items(loaded) if isinstance(value, dict) and _has_tensors(value)}
        if any("." in str(key) for key in own) or (own and not inner):
            return loaded
        if len(inner) > 1:
            names = ", ".join(shown(key) for key in list(inner)[:4])
            raise InputError(f"checkpoint {path}: tensors are in several dictionaries ({names}); save one by itself")
        if not inner:
            return loaded
        (loaded,) = inner.values()
    return loaded


def _has_tensors(value: dict[Any, Any], depth: int = _DEEPEST) -> bool:
    """Return whether a dictionary holds tensors by name, itself or in one within; an optimizer's do not count."""
    if "param_groups" in value or depth == 0:
        return False
    if any(type(each) in _TENSORS and type(key) is str for key, each in dict.items(value)):
        return True
    return any(_has_tensors(each, depth - 1) for each in dict.values(value) if isinstance(each, dict))


def _load(data: bytes, path: Path, most: int) -> Any:
    if data[:2] == b"PK":  # by its first bytes torch takes it for a zip
        if any(name.endswith("/constants.pkl") for name in check_zip(data, f"checkpoint {path}", most).namelist()):
            raise InputError(
                f"checkpoint {path}: a scripted network (TorchScript), which is code; save its state_dict() instead"
            )
        data = stored(data, f"checkpoint {path}", most)
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
