"""Torch files that ask torch for memory, time or a crash are refused before it reads them; honest ones are read."""

from __future__ import annotations

import io
import struct
import tracemalloc
import zipfile
from collections import Counter, OrderedDict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from agents.checkpoints.files import save_checkpoint
from agents.checkpoints.registry import published_net
from agents.checkpoints.zoo import load_policy, policy_from_bytes
from agents.networks.impala import ImpalaPolicyNet
from agents.untrusted.torch_pickles import MAX_PICKLE_BYTES
from envs.errors import InputError

WEIGHTS = dict(ImpalaPolicyNet(1, generator=torch.Generator().manual_seed(0)).state_dict())


def saved(value: Any, **options: Any) -> bytes:
    buffer = io.BytesIO()
    torch.save(value, buffer, **options)
    return buffer.getvalue()


def text(value: str) -> bytes:
    return b"X" + struct.pack("<I", len(value)) + value.encode()


def archive(member: str, content: bytes) -> bytes:
    """A torch file of one number with other content in one of its members."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(saved({"a": torch.zeros(1)}))) as whole:
        with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as copy:
            for name in whole.namelist():
                copy.writestr(name, content if name.endswith(f"/{member}") else whole.read(name))
    return buffer.getvalue()


def expanded(length: int) -> bytes:
    """Words of a pickle for one number in the shape of many."""
    storage = b"(" + text("storage") + b"ctorch\nFloatStorage\n" + text("0") + text("cpu") + b"K\x01tQ"
    shape = b"K\x00J" + struct.pack("<i", length) + b"\x85K\x00\x85\x89ccollections\nOrderedDict\n)R"
    return b"ctorch._utils\n_rebuild_tensor_v2\n(" + storage + shape + b"tR"


def hexed(times: int) -> bytes:
    """A byte, made a text of twice its length again and again."""
    once = b"c_codecs\nencode\n"
    return once * (times + 1) + text("a") + text("latin1") + b"\x86R" + (text("hex") + b"\x86R") * times


def kept(words: bytes, times: int, then: bytes) -> bytes:
    """Return a pickle that remembers what ``words`` make and does ``then`` to it again and again."""
    return words + b"q\x00" + (b"h\x00" + then) * times


def integer(value: int) -> bytes:
    return b"\x8a" + bytes([9]) + value.to_bytes(9, "little")


DOUBLED = b"".join(b"q" + bytes([i]) + b"h" + bytes([i]) + b"\x86" for i in range(26))  # a pair of itself, 26 times
MANY = 2**28
HOSTILE = {
    "bytes of any size": (b"c__builtin__\nbytearray\nJ" + struct.pack("<i", MANY) + b"\x85R", "__builtin__.bytearray"),
    "bytes doubled": (hexed(29), "would run: _codecs.encode"),
    "a set of many numbers": (b"c__builtin__\nset\n" + expanded(MANY) + b"\x85R", "would run: __builtin__.set"),
    "a dictionary of many numbers": (b"ccollections\nOrderedDict\n" + expanded(MANY) + b"\x85R", "an odd call"),
    "a size of many numbers": (b"ctorch\nSize\n" + expanded(MANY) + b"\x85R", "an odd call"),
    "many numbers written out": (
        b"ctorch._utils\n_rebuild_device_tensor_from_cpu_tensor\n("
        + expanded(MANY)
        + b"ctorch\nfloat64\n"
        + text("cpu")
        + b"\x89tR",
        "another kind (_rebuild_device_tensor_from_cpu_tensor)",
    ),
    "attributes of many numbers": (b"ccollections\nOrderedDict\n)R" + expanded(MANY) + b"b", "sets attributes"),
    "a key in a thousand tuples": (b"}N" + b"\x85" * 1_000 + b"Ns", "neither text nor a number"),
    "a key in a hundred thousand tuples": (b"}N" + b"\x85" * 100_000 + b"Ns", "neither text nor a number"),
    "a key with 2^26 parts": (b"}" + text("a") + DOUBLED + b"Ns", "neither text nor a number"),
    "numbers kept in 2^26 parts": (text("a") + DOUBLED + b"Q", "something other than numbers"),
    "a shape of 2^26 parts": (expanded(1).replace(b"K\x00\x85\x89", text("a") + DOUBLED + b"\x89"), "an odd call"),
    "many opcodes": (
        b"]" * (MAX_PICKLE_BYTES + 1),
        f"has more than {MAX_PICKLE_BYTES} bytes; save the weights by themselves",
    ),
    "attributes again and again": (kept(b"}", 100, b"ccollections\nOrderedDict\n)Rh\x00b"), "copies more than 64"),
    "counters again and again": (kept(b"}", 100, b"ccollections\nCounter\nh\x00\x85R"), "copies more than 64"),
    "a long size": (b"ctorch\nSize\n(" + b"K\x01" * 65 + b"t\x85R", "an odd call"),
    "a long reference": (
        b"(" + text("storage") + b"ctorch\nFloatStorage\n" + text("0") + text("cpu") + b"K\x01" * 9 + b"tQ",
        "something other than numbers",
    ),
    "numbers of one hash": (
        b"}(" + b"".join(integer(k * (2**61 - 1)) + b"N" for k in range(2_000)) + b"u",
        "too many keys",
    ),
    "many keys": (b"}(" + b"K\x01N" * 70_000 + b"u", "too many keys"),
    "numbers under a name that torch cuts": (
        b"(" + text("storage") + b"ctorch\nFloatStorage\n" + text("0\0x") + text("cpu") + b"K\x01tQ",
        "something other than numbers",
    ),
    "a name of 2^26 parts": (text("a") + DOUBLED + text("b") + b"\x93", "names something by what is no text"),
    "more numbers than there are": (expanded(2).replace(b"K\x00\x85\x89", b"K\x01\x85\x89"), "an odd call"),
    "numbers before the first": (expanded(2).replace(b"K\x00\x85\x89", b"J\xff\xff\xff\xff\x85\x89"), "an odd call"),
    "an object made anew": (b"ctorch\ndevice\n)\x81", "the opcode NEWOBJ"),
    "nothing to take": (b"\x87", "stack or memo underflow in its pickle"),
    "nothing remembered": (b"h\x07", "stack or memo underflow in its pickle"),
}


@pytest.mark.parametrize("legacy", [False, True])
@pytest.mark.parametrize("name", HOSTILE)
def test_what_weights_do_not_need_is_not_read(tmp_path: Path, name: str, legacy: bool) -> None:
    words, said = HOSTILE[name]
    pickled = b"\x80\x02}" + text("model_state_dict") + words + b"s."
    if legacy:
        parts = [b"\x80\x02" + part + b"." for part in (b"K\x00", b"M\xe9\x03", b"}")]
        data = b"".join(parts) + pickled + b"\x80\x02]."
    else:
        data = archive("data.pkl", pickled)
    path = tmp_path / "x.pth"
    path.write_bytes(data)
    tracemalloc.start()
    try:
        with pytest.raises(InputError, match=r"^checkpoint [^\n]{1,400}$") as caught:
            load_policy(path)
        assert tracemalloc.get_traced_memory()[1] < 250_000_000
    finally:
        tracemalloc.stop()
    assert said in str(caught.value) and str(caught.value).isprintable()


class Dressed(OrderedDict[str, Any]):
    """Pickled as an ordered dictionary with attributes of the file's choice."""

    def __init__(self, items: dict[str, Any], attributes: dict[str, Any]) -> None:
        super().__init__(items)
        self.given = attributes

    def __reduce__(self) -> tuple[Any, ...]:
        return (OrderedDict, (), self.given, None, iter(self.items()))


def test_attributes_that_a_file_sets_are_not_used(tmp_path: Path) -> None:
    """Neither those of dictionaries, which torch sets, nor those of tensors, which are refused."""
    dressed = Dressed(WEIGHTS, {"items": "x", "get": torch.Size})
    outer = Dressed({"model_state_dict": dressed}, {"get": "x", "keys": None})
    net = policy_from_bytes(saved(outer), ".pth", "x").net
    assert all(torch.equal(value, WEIGHTS[key]) for key, value in net.state_dict().items())
    for name, value in (("numel", "x"), ("detach", torch.Tensor), ("float", torch.Tensor), ("foo", 3)):
        bias = torch.full((1,), float("nan"))
        setattr(bias, name, value)
        with pytest.raises(InputError, match="^checkpoint [^\n]*_rebuild_from_type_v2"):
            policy_from_bytes(saved({**WEIGHTS, "fc_value.bias": bias}), ".pth", "x")


@pytest.mark.parametrize("protocol", [2, 3, 4, 5])
@pytest.mark.parametrize("zipped", [True, False])
def test_pickle_protocols(protocol: int, zipped: bool) -> None:
    """Those that torch does not take are called by their number, and not code."""
    data = saved({"model_state_dict": WEIGHTS}, pickle_protocol=protocol, _use_new_zipfile_serialization=zipped)
    if protocol <= 3:
        net = policy_from_bytes(data, ".pth", "x").net
        assert all(torch.equal(value, WEIGHTS[key]) for key, value in net.state_dict().items())
    else:
        with pytest.raises(InputError, match=f"its pickle is of protocol {protocol}, expected at most 3; save it"):
            policy_from_bytes(data, ".pth", "x")


def test_of_the_old_layout_all_numbers_are_read() -> None:
    """Torch leaves those that the file does not list as the memory was."""
    data = saved({"model_state_dict": WEIGHTS}, _use_new_zipfile_serialization=False)
    start = data.rindex(b"\x80\x02]")
    key = data[data.index(b"X", start) :][: 5 + data[data.index(b"X", start) + 1]]
    for without in (data.replace(key + b"q\x01", b"", 1), data[:start] + b"\x80\x02]." + data[start:]):
        assert without != data
        with pytest.raises(InputError, match="not those that it lists|damaged"):
            policy_from_bytes(without, ".pth", "x")


def test_a_bit_that_turns_all_signs_is_not_lost(tmp_path: Path) -> None:
    turned = {key: torch._neg_view(-value) for key, value in WEIGHTS.items()}
    policy = policy_from_bytes(saved(turned), ".pth", "x")
    assert all(not value.is_neg() for value in policy.net.state_dict().values())
    save_checkpoint(published_net(policy), tmp_path / "x.safetensors")
    again = load_policy(tmp_path / "x.safetensors").net.state_dict()
    assert all(torch.equal(value, WEIGHTS[key]) for key, value in again.items())


def test_beside_the_numbers_an_archive_is_small(tmp_path: Path) -> None:
    """Torch says all of a byte order that it does not know, and reads one of several pickles."""
    path = tmp_path / "x.pth"
    path.write_bytes(archive("byteorder", b"ab " * MAX_PICKLE_BYTES))
    with pytest.raises(InputError, match=r"^[^\n]+byteorder has more than \d+ bytes; save the weights"):
        load_policy(path)
    path.write_bytes(saved(WEIGHTS))
    with zipfile.ZipFile(path, "a") as more:
        more.writestr("b/data.pkl", b"")
    with pytest.raises(InputError, match="2 members are called data.pkl, expected one"):
        load_policy(path)


def numbers() -> Iterator[torch.Tensor | torch.nn.Parameter]:
    for dtype in (torch.float16, torch.bfloat16, torch.float64, torch.int64, torch.uint8, torch.bool):
        yield torch.zeros(2, 3, dtype=dtype)
    yield torch.nn.Parameter(torch.zeros(3))
    yield torch.arange(6.0).reshape(2, 3).T


PLAIN = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text()
    | st.sampled_from(list(numbers()))
    | st.sampled_from([torch.device("cpu"), torch.device("cuda", 1), torch.float32, torch.Size([1, 2])])
)
BESIDE = st.recursive(
    PLAIN,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.lists(inner, max_size=3).map(tuple)
        | st.dictionaries(st.text() | st.integers() | st.floats() | st.booleans(), inner, max_size=3)
        | st.dictionaries(st.text(), inner, max_size=3).map(OrderedDict)
    ),
    max_leaves=12,
)


def read_beside(beside: Any, returns: int, zipped: bool) -> None:
    """Options, states of optimizers and the like, as published loops save them."""
    data = saved(
        {"beside": beside, "milestones": Counter([1, 1, 2]), "returns": [0.5] * returns, "model_state_dict": WEIGHTS},
        _use_new_zipfile_serialization=zipped,
    )
    net = policy_from_bytes(data, ".pth", "x").net
    assert all(torch.equal(value, WEIGHTS[key]) for key, value in net.state_dict().items())


@settings(max_examples=60, deadline=None)
@given(beside=BESIDE, zipped=st.booleans())
def test_whatever_plain_things_lie_beside_weights_they_are_read(beside: Any, zipped: bool) -> None:
    read_beside(beside, 100, zipped)


@pytest.mark.parametrize("zipped", [False, True])
def test_tensors_beside_the_published_dictionary_are_left_alone(zipped: bool) -> None:
    read_beside(torch.zeros(2, 3), 1, zipped)


@pytest.mark.parametrize("zipped", [False, True])
def test_a_long_list_beside_weights_is_read(zipped: bool) -> None:
    read_beside({}, 100_000, zipped)
