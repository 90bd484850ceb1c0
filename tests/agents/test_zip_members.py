"""Archives that are attacks: refused by what they claim, before anything is unpacked."""

from __future__ import annotations

import struct
import tracemalloc
import zipfile
from pathlib import Path

import pytest

from agents import checkpoints
from agents.checkpoints import load_policy
from envs.errors import InputError


@pytest.mark.parametrize("suffix", [".zip", ".pth", "inside"])
def test_a_zip_that_unpacks_to_too_much_is_not_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, suffix: str
) -> None:
    """Be it the archive of stable-baselines3, torch's own, or torch's inside the other."""
    monkeypatch.setattr(checkpoints, "MAX_BYTES", 3_000_000)
    path = tmp_path / f"bomb{'.zip' if suffix == 'inside' else suffix}"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("policy.pth", bytes(3_000_001))
    if suffix == "inside":
        bomb = path.read_bytes()
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr("policy.pth", bomb)
    assert path.stat().st_size < 10_000
    with pytest.raises(InputError, match="unpacks to more than"):
        load_policy(path)


@pytest.mark.parametrize("method", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_a_zip_whose_method_unpacks_without_bound_is_not_read(tmp_path: Path, method: int) -> None:
    """The size it claims is a lie, and bzip2 and LZMA are unpacked whole before that is seen."""
    path = tmp_path / "bomb.zip"
    with zipfile.ZipFile(path, "w", method) as archive:
        archive.writestr("policy.pth", bytes(1_000_000))
    with pytest.raises(InputError, match="'policy.pth' is neither stored nor deflated; not loaded$"):
        load_policy(path)


def test_a_zip_that_lies_about_its_size_gives_no_more_than_it_claims(tmp_path: Path) -> None:
    path = tmp_path / "liar.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("policy.pth", bytes(50_000_000))
    data = bytearray(path.read_bytes())
    for head, at in ((b"PK\x03\x04", 22), (b"PK\x01\x02", 24)):  # the size unpacked, in both of its headers
        struct.pack_into("<I", data, data.index(head) + at, 100)
    path.write_bytes(data)
    tracemalloc.start()
    with pytest.raises(InputError, match="policy.pth is damaged"):
        load_policy(path)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 5_000_000
