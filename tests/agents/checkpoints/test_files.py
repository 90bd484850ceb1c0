"""Checkpoints: three layouts give the same network; anything else gets one line and runs nothing."""

from __future__ import annotations

import hashlib
import io
import json
import pickle
import struct
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import safetensors.torch
import torch
from torch import Tensor

from agents.checkpoints import files
from agents.checkpoints.files import save_checkpoint
from agents.checkpoints.zoo import load_policy
from agents.networks.impala import ImpalaPolicyNet
from envs.errors import InputError
from tests.helpers.sb3_zips import OURS, Bomb, facts

FRAMES = np.random.default_rng(0).integers(256, size=(2, 64, 64, 3), dtype=np.uint8)


def network(scale: float = 1) -> ImpalaPolicyNet:
    return ImpalaPolicyNet(scale, generator=torch.Generator().manual_seed(int(scale))).eval()


def logits(path: Path | str) -> Tensor:
    return load_policy(path).logits_and_values(FRAMES)[0]


def expected_logits(net: ImpalaPolicyNet) -> Tensor:
    x = torch.from_numpy(FRAMES).permute(0, 3, 1, 2).float() / 255
    with torch.no_grad():
        return net(x)[0]


def torch_bytes(value: Any) -> bytes:
    buffer = io.BytesIO()
    torch.save(value, buffer)
    return buffer.getvalue()


def with_prefix(weights: dict[str, Tensor], prefix: str) -> dict[str, Tensor]:
    return {prefix + key: value for key, value in weights.items()}


def write_sb3(path: Path, weights: dict[str, Tensor], name: str = "policy.pth") -> Path:
    """A zip with the parts stable-baselines3 writes for our policy class."""
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("data", json.dumps(facts(policy_class=OURS)))
        archive.writestr(name, torch_bytes(with_prefix(weights, "net.")))
        archive.writestr("pytorch_variables.pth", torch_bytes(None))
        archive.writestr("_stable_baselines3_version", "2.9.2")
    return path


def write_pth(path: Path, value: Any) -> Path:
    path.write_bytes(torch_bytes(value))
    return path


@pytest.mark.parametrize("scale", [0.5, 1, 4])
def test_every_layout_gives_the_same_network(tmp_path: Path, scale: float) -> None:
    net = network(scale)
    weights = {key: value.clone() for key, value in net.state_dict().items()}
    half = {key: value.half() for key, value in weights.items()}
    optimizer = torch.optim.Adam(net.parameters())
    sum(p.sum() for p in net.parameters()).backward()  # type: ignore[union-attr]
    optimizer.step()  # so that it has a state, as a published file's
    net.load_state_dict(weights)
    published = {"model_state_dict": weights, "optimizer_state_dict": optimizer.state_dict()}
    save_checkpoint(net, tmp_path / "own.safetensors")
    files = [
        tmp_path / "own.safetensors",
        write_pth(tmp_path / "published.pth", published),
        write_pth(tmp_path / "flat.pt", weights),
        write_pth(tmp_path / "parallel.pth", {"model_state_dict": with_prefix(weights, "module.")}),
        write_sb3(tmp_path / "sb3.zip", weights),
    ]
    expected = expected_logits(net)
    rounded = load_policy(write_pth(tmp_path / "half.pth", {"model_state_dict": with_prefix(half, "module.")}))
    assert str(rounded.net.scale) == str(scale), "1 and not 1.0"
    assert all(torch.equal(v, half[k].float()) for k, v in rounded.net.state_dict().items())
    for file in files:
        policy = load_policy(file)
        assert (policy.net.scale, policy.name) == (scale, file.stem)
        assert policy.sha256 == hashlib.sha256(file.read_bytes()).hexdigest()
        assert all(torch.equal(v, weights[k]) for k, v in policy.net.state_dict().items())
        torch.testing.assert_close(logits(file), expected, rtol=1e-5, atol=1e-6)


def test_half_precision_and_legacy_files(tmp_path: Path) -> None:
    net = network()
    half = {key: value.half() for key, value in net.state_dict().items()}
    file = write_pth(tmp_path / "half.pth", {"model_state_dict": half})
    policy = load_policy(file)
    assert all(v.dtype == torch.float32 and torch.equal(v, half[k].float()) for k, v in policy.net.state_dict().items())
    old = tmp_path / "old.pth"
    torch.save({"model_state_dict": net.state_dict()}, old, _use_new_zipfile_serialization=False)
    torch.testing.assert_close(logits(old), expected_logits(net), rtol=1e-5, atol=1e-6)


def test_saving_is_reproducible_and_says_what_it_is(tmp_path: Path) -> None:
    notes = {"note": "x", "another": "y", "third": "z"}
    hashes = {save_checkpoint(network(2), tmp_path / f"{i}.safetensors", notes) for i in range(4)}
    assert hashes == {hashlib.sha256((tmp_path / "0.safetensors").read_bytes()).hexdigest()}
    with safetensors.safe_open(tmp_path / "0.safetensors", "pt") as file:
        assert file.metadata() == {"format": files.FORMAT, "scale": "2", **notes}


@pytest.mark.filterwarnings("error")
def test_code_in_a_pickle_is_not_run(tmp_path: Path) -> None:
    sign, bomb = tmp_path / "it-ran", Bomb(tmp_path / "it-ran")
    weights = dict(network().state_dict())
    loaded = {"model_state_dict": weights, "extra": bomb}
    plain = tmp_path / "plain.pth"
    plain.write_bytes(pickle.dumps(bomb))
    legacy = tmp_path / "legacy.pth"
    torch.save(loaded, legacy, _use_new_zipfile_serialization=False)
    inside = tmp_path / "inside.zip"
    with zipfile.ZipFile(inside, "w") as archive:
        archive.writestr("policy.pth", torch_bytes({**with_prefix(weights, "net."), "extra": bomb}))
    for file in [write_pth(tmp_path / "new.pth", loaded), plain, legacy, inside]:
        with pytest.raises(InputError, match="^checkpoint [^\n]*holds something other than tensors[^\n]*$"):
            load_policy(file)
    assert not sign.exists()
    torch.load(tmp_path / "new.pth", weights_only=False)
    assert sign.exists()  # the bomb is a live one


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("suffix", [".safetensors", ".pth", ".zip"])
def test_truncated_files_get_one_line(tmp_path: Path, suffix: str) -> None:
    net, whole = network(), tmp_path / f"whole{suffix}"
    if suffix == ".safetensors":
        save_checkpoint(net, whole)
    elif suffix == ".pth":
        write_pth(whole, {"model_state_dict": net.state_dict()})
    else:
        write_sb3(whole, dict(net.state_dict()))
    data, cut = whole.read_bytes(), tmp_path / f"cut{suffix}"
    for length in [0, 1, 7, 8, 9, 3000, len(data) // 2, len(data) - 1000, len(data) - 1]:
        cut.write_bytes(data[:length])
        with pytest.raises(InputError, match=f"^checkpoint [^\n]*cut{suffix}: [^\n]+$"):
            load_policy(cut)
            pytest.fail(f"{length} of {len(data)} bytes were accepted")


def test_flipped_bytes_raise_nothing_else(tmp_path: Path) -> None:
    net, rng = network(), np.random.default_rng(0)
    save_checkpoint(net, tmp_path / "0.safetensors")
    write_pth(tmp_path / "1.pth", {"model_state_dict": net.state_dict()})
    write_sb3(tmp_path / "2.zip", dict(net.state_dict()))
    for file in sorted(tmp_path.iterdir()):
        data = file.read_bytes()
        for _ in range(8):
            damaged = bytearray(data)
            # Heads and tails hold the structure.
            for at in rng.integers(3000, size=4):
                damaged[at if rng.random() < 0.5 else len(data) - 1 - at] ^= int(rng.integers(1, 256))
            file.write_bytes(bytes(damaged))
            try:
                load_policy(file)
            except InputError as error:
                assert "\n" not in str(error)
        file.write_bytes(data)
        load_policy(file)


def change(key: str, edit: Callable[[Tensor], Tensor]) -> dict[str, Tensor]:
    weights = dict(network().state_dict())
    weights[key] = edit(weights[key].clone())
    return weights


def fill(value: float) -> Callable[[Tensor], Tensor]:
    def edit(tensor: Tensor) -> Tensor:
        tensor.view(-1)[-1] = value
        return tensor

    return edit


KEY = "embedder.block2.res1.conv2.weight"
BAD_WEIGHTS: dict[str, tuple[Callable[[], Any], str]] = {
    "nan": (lambda: change(KEY, fill(float("nan"))), f"{KEY} holds NaN or infinite weights"),
    "inf": (lambda: change("fc_value.bias", fill(float("-inf"))), "fc_value.bias holds NaN or infinite weights"),
    "shape": (lambda: change(KEY, lambda t: t[:-1]), f"{KEY} is (31, 32, 3, 3), expected (32, 32, 3, 3)"),
    "actions": (
        lambda: change("fc_policy.weight", lambda t: t[:5]),
        "fc_policy.weight is (5, 256), expected (15, 256): a network of 5 actions, and procgen has 15",
    ),
    "width": (
        lambda: change("embedder.block1.conv.weight", lambda t: t[:12]),
        "block1.conv.bias is (16,), expected (12,)",
    ),
    "flat": (lambda: change("embedder.block1.conv.weight", lambda t: t.flatten()), "expected (16, 3, 3, 3)"),
    "beyond float32": (lambda: change(KEY, lambda t: fill(1e39)(t.double())), f"{KEY} holds NaN or infinite weights"),
    "integers": (lambda: change(KEY, lambda t: t.int()), f"{KEY} holds torch.int32, expected floating-point"),
    "missing": (lambda: {k: v for k, v in network().state_dict().items() if k != KEY}, f"{KEY} is missing"),
    "foreign": (lambda: {**network().state_dict(), "lstm.weight": torch.zeros(3)}, "unknown key lstm.weight"),
    "other net": (lambda: torch.nn.Linear(3, 3).state_dict(), "not the published IMPALA network (keys: "),
    "nothing": (dict, "not the published IMPALA network (keys: none)"),
    "huge": (lambda: {"embedder.block1.conv.weight": torch.zeros(16 * 65, 3, 3, 3)}, "at most 1024 make sense"),
}


@pytest.mark.parametrize("name", BAD_WEIGHTS)
@pytest.mark.parametrize("suffix", [".safetensors", ".pth", ".zip"])
def test_weights_that_are_no_such_network(tmp_path: Path, name: str, suffix: str) -> None:
    make, words = BAD_WEIGHTS[name]
    weights = {key: value.contiguous() for key, value in make().items()}
    path = tmp_path / f"bad{suffix}"
    if suffix == ".safetensors":
        path.write_bytes(safetensors.torch.save(weights))
    elif suffix == ".pth":
        write_pth(path, {"model_state_dict": weights})
    else:
        write_sb3(path, weights)
    with pytest.raises(InputError, match=r"^checkpoint [^\n]+$") as caught:
        load_policy(path)
    assert words in str(caught.value) and str(path) in str(caught.value)


@pytest.mark.parametrize("value", [[1, 2], torch.zeros(3), {"model_state_dict": {"a": 1}}, {"a": "b"}, None])
def test_torch_files_of_other_things(tmp_path: Path, value: Any) -> None:
    with pytest.raises(InputError, match=r"^checkpoint [^\n]+expected a (dictionary of tensors|tensor)$"):
        load_policy(write_pth(tmp_path / "other.pth", value))


def test_names_and_files_that_do_not_exist(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="neither a shipped name nor a file; did you mean 'region5'[?]$"):
        load_policy("regoin5")
    for missing in (tmp_path / "absent.pth", Path("absent.zip")):
        with pytest.raises(InputError, match="no such file$"):
            load_policy(missing)
    with pytest.raises(InputError, match="^checkpoint [^\n]+$"):
        load_policy(tmp_path)
    text = tmp_path / "weights.txt"
    text.write_text("hello")
    with pytest.raises(InputError, match=r"weights.txt: damaged or not a torch file \([^\n]+\)$"):
        load_policy(text)
    no_policy = write_sb3(tmp_path / "x.zip", dict(network().state_dict()), name="model.pth")
    with pytest.raises(InputError, match="no policy.pth inside"):
        load_policy(no_policy)


EMPTY = {
    "features_extractor.linear.0.weight": [2**62, 0],
    "mlp_extractor.policy_net.0.weight": [2**40, 0],
    "action_net.weight": [1] * 65,
    "embedder.block1.conv.weight": [0, 2**63],
    "action_net.bias": [0, 2**62, 2**62],
}


@pytest.mark.parametrize("key", EMPTY)
def test_shapes_that_no_tensor_has_get_one_line(tmp_path: Path, key: str) -> None:
    """They need no numbers in the file: one of their sides is 0, or all are 1."""
    size = 4 * int(np.prod([n == 1 for n in EMPTY[key]]))
    header = json.dumps({key: {"dtype": "F32", "shape": EMPTY[key], "data_offsets": [0, size]}}).encode()
    path = tmp_path / "x.safetensors"
    path.write_bytes(struct.pack("<Q", len(header)) + header + bytes(size))
    with pytest.raises(InputError, match=r"^checkpoint [^\n]{1,400}$"):
        load_policy(path)


TENSORS = {
    "one number in the shape of many": (lambda: torch.zeros(1).expand(2**40), "more than 1073741824 bytes"),
    "meta": (lambda: torch.zeros(16, 3, 3, 3, device="meta"), "a tensor of another kind (_rebuild_meta"),
    "sparse": (
        lambda: torch.zeros(16, 27).to_sparse(),
        "a tensor of another kind (_rebuild_sparse_tensor), expected dense",
    ),
    "one number": (lambda: torch.zeros(1).expand(16, 3, 3, 3), "a tensor without its numbers"),
    "of 8 bits": (lambda: torch.zeros(16, 3, 3, 3).to(torch.float8_e4m3fn), "expected floating-point weights"),
    "of no known type": (lambda: torch.zeros(16, 3, 3, 3).to(torch.float8_e8m0fnu), "expected floating-point weights"),
}


@pytest.mark.parametrize("key", ["embedder.block1.conv.weight", "action_net.weight"])
@pytest.mark.parametrize("name", TENSORS)
def test_tensors_that_are_not_what_they_seem(tmp_path: Path, name: str, key: str) -> None:
    make, words = TENSORS[name]
    with pytest.raises(InputError, match=r"^checkpoint [^\n]+$") as caught:
        load_policy(write_pth(tmp_path / "bad.pth", {key: make()}))
    assert words in str(caught.value)


def test_a_safetensors_file_of_a_number_type_that_torch_has_not(tmp_path: Path) -> None:
    header = json.dumps({"a": {"dtype": "F8_E8M0", "shape": [2], "data_offsets": [0, 2]}}).encode()
    path = tmp_path / "x.safetensors"
    path.write_bytes(struct.pack("<Q", len(header)) + header + b"ab")
    with pytest.raises(InputError, match=r"^checkpoint [^\n]+$"):
        load_policy(path)


def test_the_card_beside_a_file_is_read_if_it_is_of_these_weights(tmp_path: Path) -> None:
    path = tmp_path / "policy.safetensors"
    digest = save_checkpoint(network(), path)
    card = {"sha256": digest, "figures": {"region": 1, "levels": [0, 8], "horizon": 256, "seed": 0}}
    for text, expected in (
        (json.dumps(card), card),
        (json.dumps({**card, "sha256": "0" * 64}), {}),
        (json.dumps({**card, "figures": {"region": 1}}), {}),
        (json.dumps({**card, "figures": 5}), {}),
        (json.dumps({**card, "figures": {**card["figures"], "region": "5"}}), {}),  # type: ignore[dict-item]
        ("[]", {}),
        ("{", {}),
        ("[" * 200_000, {}),
    ):
        path.with_suffix(".json").write_text(text)
        assert load_policy(path).card == expected


def test_foreign_names_reach_no_terminal(tmp_path: Path) -> None:
    for key in ("embedder\x1b]0;title\x07\nsecond line", "k" * 5_000):
        with pytest.raises(InputError, match=r"^checkpoint [^\n]{1,400}$") as caught:
            load_policy(write_pth(tmp_path / "x.pth", {key: torch.zeros(1)}))
        assert str(caught.value).isprintable()


def test_two_tensors_of_one_name_are_not_chosen_between(tmp_path: Path) -> None:
    weights = dict(network().state_dict())
    key = "fc_value.bias"
    file = write_pth(tmp_path / "twice.pth", {**weights, f"module.{key}": weights[key] + 1})
    with pytest.raises(InputError, match=rf"twice.pth: two tensors are called {key}, expected one$"):
        load_policy(file)


@pytest.mark.parametrize("name", ["../policy.pth", "/etc/x", "a/../../x", "..\\x"])
@pytest.mark.parametrize("suffix", [".zip", ".pth"])
def test_a_zip_with_names_that_lead_out_of_it_is_refused(tmp_path: Path, name: str, suffix: str) -> None:
    path = tmp_path / "inner" / f"x{suffix}"
    path.parent.mkdir()
    if suffix == ".zip":
        write_sb3(path, dict(network().state_dict()))
    else:
        write_pth(path, {"model_state_dict": network().state_dict()})
    load_policy(path)
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr(zipfile.ZipInfo(name), b"x")
    with pytest.raises(InputError, match="^checkpoint [^\n]*a member is named [^\n]*; not loaded$"):
        load_policy(path)
    assert [p.name for p in tmp_path.rglob("*")] == ["inner", path.name]


PREFIXES = ["module.", "_orig_mod.", "module._orig_mod.", "_orig_mod.module.", "net._orig_mod.module.", ""]


@pytest.mark.parametrize("wrapped", ["state_dict", "model", "checkpoint model", "a b c", ""])
@pytest.mark.parametrize("prefix", PREFIXES)
def test_what_wraps_the_tensors_is_taken_off(tmp_path: Path, prefix: str, wrapped: str) -> None:
    """Prefixes of compiled and parallel modules in any order, and the single dictionary of tensors in another."""
    net = network()
    value: Any = with_prefix(dict(net.state_dict()), prefix)
    optimizer = torch.optim.Adam(net.parameters())
    sum(p.sum() for p in net.parameters()).backward()  # type: ignore[union-attr]
    optimizer.step()
    for name in reversed(wrapped.split()):
        value = {"epoch": 3, "optimizer": optimizer.state_dict(), name: value, "seeds": {"a": 1}}
    net.load_state_dict(load_policy(write_pth(tmp_path / "x.pth", value)).net.state_dict())
    torch.testing.assert_close(logits(tmp_path / "x.pth"), expected_logits(net), rtol=1e-5, atol=1e-6)


def on_gpu(data: bytes) -> bytes:
    """The same torch file as a machine with a GPU writes it: of each storage it says where it lay."""
    cpu, cuda = b"X\x03\x00\x00\x00cpu", b"X\x06\x00\x00\x00cuda:0"
    if data[:2] != b"PK":
        return data.replace(cpu, cuda)
    made = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(data)) as old, zipfile.ZipFile(made, "w") as new:
        for member in old.namelist():
            content = old.read(member)
            new.writestr(member, content.replace(cpu, cuda) if member.endswith("data.pkl") else content)
    return made.getvalue()


@pytest.mark.parametrize("zipped", [True, False])
def test_what_a_training_on_a_gpu_keeps_beside_its_weights_is_left_aside(tmp_path: Path, zipped: bool) -> None:
    net, path = network(), tmp_path / "x.pth"
    optimizer = torch.optim.Adam(net.parameters())
    kept = {"optimizer": optimizer.state_dict(), "steps": torch.tensor(5), "rng": torch.get_rng_state(), "lr": 0.1}
    torch.save({**kept, "state_dict": net.state_dict()}, path, _use_new_zipfile_serialization=zipped)
    path.write_bytes(on_gpu(path.read_bytes()))
    assert b"cuda:0" in path.read_bytes()
    loaded = load_policy(path).net.state_dict()
    assert all(torch.equal(value, loaded[key]) for key, value in net.state_dict().items())
    # Tensors with the names of a module's are weights, wherever they lie, and none of them is dropped.
    write_pth(path, {**net.state_dict(), "more": {"lstm.weight": torch.zeros(3)}})
    with pytest.raises(InputError, match="more is a dict, expected a tensor$"):
        load_policy(path)


@pytest.mark.parametrize("prefix", PREFIXES[:3])
def test_what_wraps_the_names_of_safetensors_is_taken_off_too(tmp_path: Path, prefix: str) -> None:
    net, path = network(), tmp_path / "x.safetensors"
    path.write_bytes(safetensors.torch.save(with_prefix(dict(net.state_dict()), prefix)))
    loaded = load_policy(path).net.state_dict()
    assert all(torch.equal(value, loaded[key]) for key, value in net.state_dict().items())


def test_of_two_dictionaries_of_tensors_none_is_chosen(tmp_path: Path) -> None:
    weights = dict(network().state_dict())
    path = write_pth(tmp_path / "x.pth", {"model": weights, "ema": weights})
    with pytest.raises(InputError, match=r"tensors are in several dictionaries \(model, ema\); save one by itself$"):
        load_policy(path)
    load_policy(write_pth(path, {"model_state_dict": weights, "ema": weights}))  # the published layout says which


@pytest.mark.parametrize("name", ["x.ckpt", "x.bin", "x.pth.tar", "x.PTH", "x.safetensors", "x.zip", "x"])
@pytest.mark.parametrize("layout", ["safetensors", "torch", "old torch", "stable-baselines3"])
def test_a_file_is_what_it_holds_whatever_it_is_called(tmp_path: Path, layout: str, name: str) -> None:
    net, path = network(), tmp_path / name
    if layout == "safetensors":
        save_checkpoint(net, path)
    elif layout == "stable-baselines3":
        write_sb3(path, dict(net.state_dict()))
    else:
        torch.save(net.state_dict(), path, _use_new_zipfile_serialization=layout == "torch")
    policy = load_policy(path)
    assert policy.name == "x"
    torch.testing.assert_close(policy.logits_and_values(FRAMES)[0], expected_logits(net), rtol=1e-5, atol=1e-6)


@pytest.mark.filterwarnings("ignore")  # torch remarks that scripts are of yesterday
def test_a_scripted_network_is_called_so(tmp_path: Path) -> None:
    torch.jit.script(torch.nn.Linear(3, 3)).save(tmp_path / "x.pt")  # type: ignore[no-untyped-call]
    with pytest.raises(InputError, match=r"x.pt: a scripted network \(TorchScript\)[^\n]*state_dict\(\) instead$"):
        load_policy(tmp_path / "x.pt")
