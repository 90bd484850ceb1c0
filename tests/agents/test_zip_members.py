"""Archives that are attacks: refused by what they claim, before anything is unpacked."""

from __future__ import annotations

import struct
import tracemalloc
import zipfile
from pathlib import Path

import pytest
import torch

from agents import checkpoints
from agents.checkpoints import load_policy
from agents.impala import ImpalaPolicyNet
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


def published(path: Path) -> Path:
    """A checkpoint in the published layout."""
    net = ImpalaPolicyNet(1, generator=torch.Generator().manual_seed(0))
    torch.save({"model_state_dict": net.state_dict()}, path)
    return path


def test_an_archive_that_only_torch_takes_for_one_is_not_read(tmp_path: Path) -> None:
    """Its reader skips a cut end record, Python's does not: what is not checked must not reach it."""
    path = published(tmp_path / "x.pth")
    load_policy(path)
    with zipfile.ZipFile(path, "a", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("../../x", bytes(1_000))
    path.write_bytes(path.read_bytes() + b"PK\x05\x06")
    assert not zipfile.is_zipfile(path)
    with pytest.raises(InputError, match=r"^checkpoint [^\n]+damaged zip"):
        load_policy(path)


def test_torch_reads_the_members_that_were_checked(tmp_path: Path) -> None:
    """Compressed or not, with the same numbers; of two members of one name neither."""
    plain = published(tmp_path / "plain.pth")
    small = tmp_path / "small.pth"
    with zipfile.ZipFile(plain) as archive, zipfile.ZipFile(small, "w", zipfile.ZIP_DEFLATED) as copy:
        for name in archive.namelist():
            copy.writestr(name, archive.read(name))
    weights = [load_policy(path).net.state_dict() for path in (plain, small)]
    assert all(torch.equal(value, weights[1][key]) for key, value in weights[0].items())
    with zipfile.ZipFile(small, "a") as copy, pytest.warns(UserWarning, match="Duplicate"):
        copy.writestr(copy.namelist()[0], b"x")
    with pytest.raises(InputError, match="two members have one name"):
        load_policy(small)


@pytest.mark.parametrize("suffix", [".pth", ".zip"])
def test_archives_of_another_version_or_on_several_disks_get_one_line(tmp_path: Path, suffix: str) -> None:
    whole = published(tmp_path / "x.pth").read_bytes()
    directory, end = whole.rindex(b"PK\x01\x02"), whole.rindex(b"PK\x05\x06")
    later = whole[: directory + 6] + struct.pack("<H", 99) + whole[directory + 8 :]
    disks = whole[:end] + struct.pack("<4sLQL", b"PK\x06\x07", 0, 0, 2) + whole[end:]
    for data in (later, disks):
        path = tmp_path / f"bad{suffix}"
        path.write_bytes(data)
        with pytest.raises(InputError, match=r"^checkpoint [^\n]+damaged zip"):
            load_policy(path)


def test_a_pickle_that_asks_for_memory_gets_none(tmp_path: Path) -> None:
    """A bytearray of any size is among the few things that torch makes for a file without being asked."""
    path = tmp_path / "x.pth"
    path.write_bytes(b"\x80\x02c__builtin__\nbytearray\nJ" + struct.pack("<i", 400_000_000) + b"\x85R.")
    tracemalloc.start()
    try:
        with pytest.raises(InputError, match="holds a bytearray, expected tensors only"):
            load_policy(path)
        assert tracemalloc.get_traced_memory()[1] < 50_000_000
    finally:
        tracemalloc.stop()
