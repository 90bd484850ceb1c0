"""Policies as users of stable-baselines3 save them: trained on our mazes, read without unpickling, equal numbers."""

from __future__ import annotations

import hashlib
import io
import json
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from agents.checkpoints.registry import published_net
from agents.checkpoints.zoo import load_policy, load_stated
from agents.networks.nature import NaturePolicyNet
from agents.networks.policy import MazePolicy
from envs.errors import InputError
from envs.maze import Maze
from envs.training.vec_env import make_vec_env
from steering.cli import app
from steering.experiments.exact import LevelEvaluator
from steering.interventions.edits import subtract
from steering.interventions.vectors import cheese_vectors
from steering.sweep.spec import SweepSpec
from tests.helpers.sb3_zips import Bomb, sb3_policy

from stable_baselines3 import A2C, DQN, PPO  # isort: skip  (after envs, which silences gym's notice)
from stable_baselines3.common.torch_layers import NatureCNN  # isort: skip

pytestmark = pytest.mark.usefixtures("one_thread")

SITES = ["input", *(f"features_extractor.cnn.{i}" for i in range(7))]
SITES += ["features_extractor.linear.0", "features_extractor.linear.1", "action_net"]


def trained(kind: type[PPO] | type[A2C] = PPO, **policy_kwargs: Any) -> Any:
    """A model trained for two updates; heads enlarged so that its logits differ from frame to frame."""
    envs = make_vec_env(2, mode="easy", seed=0)
    batches = {"batch_size": 16, "n_epochs": 1} if kind is PPO else {}
    model = kind("CnnPolicy", envs, n_steps=8, seed=0, device="cpu", policy_kwargs=policy_kwargs or None, **batches)
    model.learn(16)
    envs.close()
    with torch.no_grad():
        model.policy.action_net.weight.mul_(300.0)
    return model


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> tuple[Any, Path]:
    """Trained and saved as users do it."""
    model, path = trained(), tmp_path_factory.mktemp("sb3") / "x.zip"
    model.save(path)
    return model, path


def assert_equal_numbers(model: Any, path: Path) -> MazePolicy:
    """Logits and values are those of the model itself on frames of real levels."""
    frames = np.concatenate([Maze.from_level(level, "easy").observations()[:8] for level in (3, 4)])
    policy = load_policy(path)
    logits, values = policy.logits_and_values(frames)
    with torch.no_grad():
        obs, _ = model.policy.obs_to_tensor(frames)
        own = model.policy.get_distribution(obs).distribution.logits
        torch.testing.assert_close(torch.log_softmax(logits, -1), own, rtol=1e-4, atol=1e-5)
        torch.testing.assert_close(values, model.policy.predict_values(obs)[:, 0], rtol=1e-4, atol=1e-5)
    assert float(logits.std(0).max()) > 0.01
    actions, _ = policy.predict(frames, deterministic=True)
    assert np.array_equal(actions, model.predict(frames, deterministic=True)[0])
    return policy


def test_a_ppo_of_its_user_has_equal_logits_and_values(saved: tuple[Any, Path]) -> None:
    model, path = saved
    policy = assert_equal_numbers(model, path)
    assert isinstance(policy.net, NaturePolicyNet)
    assert (policy.name, policy.card) == ("x", {})
    assert policy.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()
    with pytest.raises(InputError, match="^policy x: a NaturePolicyNet, expected the published IMPALA network$"):
        published_net(policy)


@pytest.mark.parametrize(
    ("kind", "options"),
    [
        (PPO, {"net_arch": [32]}),
        (PPO, {"net_arch": {"pi": [16, 8], "vf": []}, "activation_fn": nn.ReLU}),
        (PPO, {"net_arch": {"pi": [], "vf": [8]}, "activation_fn": nn.ELU}),
        (PPO, {"share_features_extractor": False, "features_extractor_kwargs": {"features_dim": 64}}),
        (A2C, {"features_extractor_class": NatureCNN, "net_arch": [16]}),
    ],
    ids=["tanh", "relu", "elu", "two extractors", "a2c"],
)
def test_other_widths_activations_and_extractors(tmp_path: Path, kind: type[PPO], options: dict[str, Any]) -> None:
    model = trained(kind, **options)
    model.save(tmp_path / "y.zip")
    assert_equal_numbers(model, tmp_path / "y.zip")


def test_hooks_and_partial_give_one_outcome(saved: tuple[Any, Path], small_maze: Maze) -> None:
    policy = load_policy(saved[1])
    fast, slow = LevelEvaluator(policy, small_maze), LevelEvaluator(policy, small_maze, hooks_only=True)
    vectors = cheese_vectors(policy, small_maze, SITES)
    edits = [subtract(vectors[name]) for name in SITES]
    assert fast._partial is not None
    for a, b in zip(fast.fields(edits), slow.fields(edits), strict=True):
        assert np.array_equal(a.probabilities, b.probabilities) and np.array_equal(a.values, b.values)
    assert fast.clean_outcome() == slow.clean_outcome()


def run(monkeypatch: pytest.MonkeyPatch, *words: str) -> int | None:
    monkeypatch.setattr(sys, "argv", ["mazesteer", *words])
    with pytest.raises(SystemExit) as end:
        app.main()
    return end.value.code  # type: ignore[return-value]


def test_the_commands_take_it(
    saved: tuple[Any, Path], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    file = str(saved[1])
    assert run(monkeypatch, "sites", file, "--json") == 0
    assert [site["name"] for site in json.loads(capsys.readouterr().out)] == SITES
    assert run(monkeypatch, "sites", file) == 0
    assert "features_extractor.cnn.5" in capsys.readouterr().out
    words = ["--level", "3", "--mode", "easy", "--site", "logits", "--condition", "subtract", "--json"]
    assert run(monkeypatch, "outcome", file, *words) == 0
    shown = json.loads(capsys.readouterr().out)
    assert shown["site"] == "action_net" and 0.0 <= shown["outcome"]["p_cheese"] <= 1.0
    assert shown["outcome"]["value_start"] is not None
    assert run(monkeypatch, "export", file, str(tmp_path / "x.pth")) == 2
    assert "expected the published IMPALA network" in capsys.readouterr().err


def test_the_layer_sweep_takes_it(
    saved: tuple[Any, Path], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    words = ["--levels", "0:12", "--mode", "easy", "--horizon", "16", "--episodes", "0", "--workers", "1"]
    assert run(monkeypatch, "layer-sweep", str(saved[1]), *words, "--out", str(tmp_path / "run")) == 0
    summary = json.loads((tmp_path / "run" / "summary.json").read_text())
    assert [site["name"] for site in summary["sites"]] == SITES
    at = {site["name"]: site["conditions"]["subtract"] for site in summary["sites"]}
    assert at["features_extractor.cnn.5"]["blindness"] == at["features_extractor.linear.0"]["blindness"]
    assert at["input"]["blindness"] == pytest.approx(at["features_extractor.cnn.0"]["blindness"], abs=1e-4)
    assert (tmp_path / "run" / "report.html").is_file()
    capsys.readouterr()


def rewrite(
    path: Path,
    out: Path,
    weights: Callable[[dict[str, Tensor]], None] | None = None,
    data: Callable[[dict[str, Any]], Any] | bytes | None = None,
) -> Path:
    """A copy of a saved model with its tensors or its ``data`` changed."""
    with zipfile.ZipFile(path) as old, zipfile.ZipFile(out, "w") as new:
        for name in old.namelist():
            content = old.read(name)
            if name == "policy.pth" and weights is not None:
                tensors = dict(torch.load(io.BytesIO(content), weights_only=True))
                weights(tensors)
                buffer = io.BytesIO()
                torch.save(tensors, buffer)
                content = buffer.getvalue()
            if name == "data" and isinstance(data, bytes):
                content = data
            elif name == "data" and data is not None:
                facts = json.loads(content)
                content = json.dumps(data(facts) or facts).encode()
            new.writestr(name, content)
    return out


def test_code_among_its_tensors_is_not_run(saved: tuple[Any, Path], tmp_path: Path) -> None:
    inside = rewrite(saved[1], tmp_path / "inside.zip", lambda w: w.update(x=Bomb(tmp_path / "it-ran")))  # type: ignore[call-overload]
    with pytest.raises(InputError, match="holds something other than tensors"):
        load_policy(inside)
    assert not (tmp_path / "it-ran").exists()


OWN = "features_extractor.cnn.2.weight"


def put(key: str, edit: Callable[[Tensor], Tensor], *, twins: bool = True) -> Callable[[dict[str, Tensor]], None]:
    def change(weights: dict[str, Tensor]) -> None:
        keys = [key, f"pi_{key}", f"vf_{key}"] if twins and key.startswith("features") else [key]
        for each in keys:
            weights[each] = edit(weights[each].clone())

    return change


def drop(word: str) -> Callable[[dict[str, Tensor]], None]:
    def change(weights: dict[str, Tensor]) -> None:
        for key in [key for key in weights if word in key]:
            del weights[key]

    return change


BAD_WEIGHTS: dict[str, tuple[Callable[[dict[str, Tensor]], None], str]] = {
    "nan": (put(OWN, lambda t: t / 0.0 * 0.0), f"{OWN} holds NaN or infinite weights"),
    "integers": (put("value_net.bias", lambda t: t.int()), "value_net.bias holds torch.int32, expected floating"),
    "shape": (put(OWN, lambda t: t[:, :16]), f"{OWN} is (64, 16, 4, 4), expected (64, 32, 4, 4)"),
    "stacked frames": (
        put("features_extractor.cnn.0.weight", lambda t: t.repeat(1, 4, 1, 1)),
        "features_extractor.cnn.0.weight is (32, 12, 8, 8), expected (32, 3, 8, 8)",
    ),
    "84 pixels": (
        put("features_extractor.linear.0.weight", lambda t: t.repeat(1, 4)[:, :3136]),
        "features_extractor.linear.0.weight is (512, 3136), expected (512, 1024)",
    ),
    "flat": (put("features_extractor.linear.0.weight", lambda t: t.flatten()), "is (524288,), expected (512, 1024)"),
    "empty": (put("features_extractor.linear.0.weight", lambda t: t[:0]), "is (0, 1024), expected weights"),
    "five moves": (put("action_net.weight", lambda t: t[:5]), "action_net.weight is (5, 512), expected (15, 512)"),
    "missing": (drop("cnn.4.bias"), "features_extractor.cnn.4.bias is missing"),
    "no extractor": (drop("extractor"), "features_extractor.cnn.0.weight is missing, expected the Nature CNN"),
    "recurrent": (lambda w: w.update({"lstm_actor.bias": torch.zeros(3)}), "lstm_actor.bias: a recurrent policy"),
    "shared layers": (
        lambda w: w.update({"mlp_extractor.shared_net.0.bias": torch.zeros(3)}),
        "mlp_extractor.shared_net.0.bias: layers that actor and critic share (net_arch before stable-baselines3 1.8)",
    ),
    "dqn": (lambda w: w.update({"q_net.bias": torch.zeros(3)}), "q_net.bias: a policy of DQN; read are PPO and A2C"),
    "qrdqn": (lambda w: w.update({"quantile_net.bias": torch.zeros(3)}), "quantile_net.bias: a policy of QR-DQN"),
    "sac": (lambda w: w.update({"critic.qf0.0.bias": torch.zeros(3)}), "critic.qf0.0.bias: a policy of SAC, TD3"),
    "layer gap": (
        lambda w: w.update({"mlp_extractor.policy_net.2.weight": torch.zeros(3, 3)}),
        "unknown key mlp_extractor.policy_net.2.weight",
    ),
    "two actors": (
        put(f"pi_{OWN}", lambda t: t + 1.0),
        f"pi_{OWN} differs from {OWN}, expected one tensor under two names",
    ),
    "half a critic": (drop("vf_features_extractor.cnn.0"), ""),
}


@pytest.mark.parametrize("name", BAD_WEIGHTS)
def test_other_tensors_get_one_line(saved: tuple[Any, Path], tmp_path: Path, name: str) -> None:
    change, words = BAD_WEIGHTS[name]
    path = rewrite(saved[1], tmp_path / "bad.zip", change)
    if not words:  # names of one tensor that are missing (older versions write fewer) take nothing away
        assert_equal_numbers(saved[0], path)
        return
    with pytest.raises(InputError, match=r"^checkpoint [^\n]+bad.zip: [^\n]+$") as caught:
        load_policy(path)
    assert words in str(caught.value)


BAD_DATA: dict[str, tuple[bytes, str]] = {
    "not json": (b"{", "its member data is not JSON"),
    "not text": (b"\xff\xfe\x00\x01", "its member data is not JSON"),
    "huge": (b"[" + b"[]," * 6_000_000 + b"[]]", "data unpacks to more than 16777216 bytes; not loaded"),
    "nested": (b"[" * 200_000, "its member data is not JSON"),
    "nothing": (b"{}", "its member data has no policy_class"),
    "a list": (b"[1]", "its member data has no policy_class"),
}


@pytest.mark.parametrize("name", BAD_DATA)
def test_data_that_cannot_be_read_gets_one_line(saved: tuple[Any, Path], tmp_path: Path, name: str) -> None:
    data, words = BAD_DATA[name]
    path = rewrite(saved[1], tmp_path / "bad.zip", data=data)
    with pytest.raises(InputError, match=r"^checkpoint [^\n]+bad.zip: [^\n]+$") as caught:
        load_policy(path)
    assert words in str(caught.value)


def test_other_algorithms_of_stable_baselines3_are_refused(tmp_path: Path) -> None:
    envs = make_vec_env(1, mode="easy", seed=0)
    models = {
        "a policy of DQN": DQN("CnnPolicy", envs, buffer_size=10, device="cpu"),
        "FlattenExtractor, expected": PPO("MlpPolicy", envs, n_steps=8, batch_size=8, device="cpu"),
    }
    envs.close()
    for words, model in models.items():
        model.save(tmp_path / "x.zip")
        with pytest.raises(InputError, match=rf"^checkpoint [^\n]*{words}[^\n]*$"):
            load_policy(tmp_path / "x.zip")


def test_what_is_stated_reaches_every_process_that_loads_the_file(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    """Workers, examples, films, probes and a resumed run: all have the network that the user stated."""
    file, out = tmp_path / "mine.pth", str(tmp_path / "run")
    torch.save(sb3_policy(net_arch=[8], activation_fn=nn.ReLU).state_dict(), file)
    sites = ["--sites", "features_extractor.linear.0,mlp_extractor.policy_net.1"]
    sweep = ["layer-sweep", str(file), "--levels", "0:12", "--mode", "easy", "--horizon", "16", "--episodes", "1"]
    sweep += [*sites, "--workers", "1", "--out", out]
    assert run(monkeypatch, *sweep) == 2 and "--activation tanh" in capsys.readouterr().err
    stated = ["--activation", "relu", "--scale-pixels", "255"]
    assert run(monkeypatch, *sweep, *stated) == 0
    spec = json.loads((tmp_path / "run" / "spec.json").read_text())
    assert (spec["activation"], spec["scale_pixels"]) == ("relu", 255)
    outcome = ["outcome", str(file), "--level", str(spec["levels"][0]), "--mode", "easy", "--horizon", "16", "--json"]
    capsys.readouterr()
    assert run(monkeypatch, *outcome, *stated) == 0
    expected = json.loads(capsys.readouterr().out)["outcome"]["p_cheese"]
    rows = (tmp_path / "run" / "outcomes.csv").read_text().splitlines()
    names = rows[0].split(",")
    (clean,) = [
        cells
        for cells in (dict(zip(names, row.split(","), strict=True)) for row in rows[1:])
        if cells["condition"] == "clean" and int(cells["level"]) == spec["levels"][0]
    ]
    assert float(clean["p_cheese"]) == pytest.approx(expected, abs=1e-12)
    assert run(monkeypatch, *sweep, *stated) == 0  # resumed: nothing is left to do
    assert run(monkeypatch, *sweep, "--activation", "elu", "--scale-pixels", "255") == 2
    assert "choose another --out" in capsys.readouterr().err
    probe = ["probe", str(file), "--levels", "0:24", "--states", "2", "--frames", "0", "--out", out, *sites]
    assert run(monkeypatch, *probe) == 0  # as the run was told
    film = ["film-sweep", out, "--checkpoint", str(file), "--size", "64", "--seconds", "0.3", "--episodes", "1"]
    assert run(monkeypatch, *film) == 0
    capsys.readouterr()
    other = tmp_path / "other.pth"  # what was stated of one network says nothing of another
    torch.save(sb3_policy(net_arch=[8], activation_fn=nn.ELU).state_dict(), other)
    site = ["--site", "features_extractor.cnn.2", "--mode", "easy", "--levels", "0:6"]
    for command in (["probe", str(other), *probe[2:]], ["replicate", "effect", "--checkpoint", str(other), *site]):
        assert run(monkeypatch, *command, *(["--out", out] if command[0] == "replicate" else [])) == 2
        assert "its tensors do not tell the activation" in capsys.readouterr().err


def test_a_run_of_an_earlier_version_is_read_by_the_rule_of_then(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    """It stated nothing: Tanh and a division by 255 were taken for granted, and its digest was that of the file."""
    file, out = tmp_path / "mine.pth", tmp_path / "run"
    torch.save(sb3_policy(net_arch=[8]).state_dict(), file)
    sweep = ["layer-sweep", str(file), "--levels", "0:12", "--mode", "easy", "--horizon", "16", "--episodes", "0"]
    sweep += ["--sites", "action_net", "--workers", "1", "--out", str(out)]
    assert run(monkeypatch, *sweep, "--activation", "tanh", "--scale-pixels", "255") == 0
    spec = json.loads((out / "spec.json").read_text())
    assert spec["sha256"] == hashlib.sha256(file.read_bytes()).hexdigest()
    del spec["activation"], spec["scale_pixels"]
    (out / "spec.json").write_text(json.dumps(spec))
    stated = SweepSpec.load(out).stated
    assert (stated.activation, stated.scale_pixels) == ("tanh", 255)
    assert load_stated(file, stated).sha256 == spec["sha256"] and load_stated("region5", stated).name == "region5"
    film = ["film-sweep", str(out), "--checkpoint", str(file), "--size", "64", "--seconds", "0.3", "--episodes", "1"]
    assert run(monkeypatch, *film) == 0
    capsys.readouterr()
