"""Archives that are attacks: refused by what they claim, before anything is unpacked."""

from __future__ import annotations

import struct
import tracemalloc
import zipfile
from pathlib import Path

import pytest
import torch

from agents.checkpoints import files
from agents.checkpoints.zoo import load_policy
from agents.networks.impala import ImpalaPolicyNet
from envs.errors import InputError


@pytest.mark.parametrize("suffix", [".zip", ".pth", "inside"])
def test_a_zip_that_unpacks_to_too_much_is_not_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, suffix: str
) -> None:
    """Be it the archive of stable-baselines3, torch's own, or torch's inside the other."""
    monkeypatch.setattr(files, "MOST_WEIGHTS", 3_000_000)
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


@pytest.mark.parametrize("suffix", [".pth", ".zip"])
@pytest.mark.parametrize("offset", [2**63, 2**64 - 1])
def test_members_that_lie_nowhere_get_one_line(tmp_path: Path, suffix: str, offset: int) -> None:
    whole = tmp_path / "x.zip"
    with zipfile.ZipFile(whole, "w") as archive:
        archive.writestr("policy.pth", b"x")
    data = bytearray(whole.read_bytes())
    at, end = data.rindex(b"PK\1\2"), data.rindex(b"PK\5\6")
    extra = struct.pack("<HHQ", 1, 8, offset)
    struct.pack_into("<H", data, at + 30, len(extra))
    struct.pack_into("<L", data, at + 42, 0xFFFFFFFF)  # its place is in the extra field
    struct.pack_into("<L", data, end + 12, end - at + len(extra))
    path = tmp_path / f"nowhere{suffix}"
    path.write_bytes(bytes(data[:end] + extra + data[end:]))
    with pytest.raises(InputError, match=r"^checkpoint [^\n]+$"):
        load_policy(path)


def test_an_archive_of_very_many_members_is_not_listed(tmp_path: Path) -> None:
    path = tmp_path / "x.pth"
    path.write_bytes(published(path).read_bytes() + b"PK\1\2" * (2**16 + 1))
    with pytest.raises(InputError, match="more than 65536 members; not loaded$"):
        load_policy(path)


@pytest.mark.parametrize("length", [0, 30_000])
def test_members_whose_names_cannot_be_written_again(tmp_path: Path, length: int) -> None:
    """No name (of NUL bytes Python leaves nothing), and one that is longer in UTF-8 than a header can say."""
    path = published(tmp_path / "x.pth")
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr("Q" * max(length, 1) + "extra", b"1")
    new = b"\xb0" * length or b"\0"
    path.write_bytes(path.read_bytes().replace(b"Q" * len(new) + b"extra", new + b"extra"))
    with pytest.raises(InputError, match="a member has no name, or a very long one; not loaded$"):
        load_policy(path)
