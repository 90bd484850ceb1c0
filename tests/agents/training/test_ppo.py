"""PPO through real procgen: what is trained, what is kept, what goes on after an interruption."""

from __future__ import annotations

import dataclasses
import io
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from agents.checkpoints.files import save_checkpoint
from agents.checkpoints.zoo import load_policy
from agents.networks.impala import ImpalaPolicyNet
from agents.networks.sb3_policy import MazeActorCriticPolicy, MazePPO, monte_carlo_returns
from agents.sessions.history import Watcher, learning_curves, read_history
from agents.training.ppo import LinearDecay, PPOConfig, train_ppo
from envs.errors import InputError
from envs.training.vec_env import make_vec_env

from stable_baselines3 import PPO  # isort: skip  (after envs, which silences gym's notice)

SMALL = PPOConfig(
    mode="easy", total_steps=96, n_envs=4, n_steps=8, epochs=1, minibatches=2, critic_warmup_steps=0, bf16=False
)

THREE_BY_THREE = (1_000_000, 1_000_001)  # one easy level, a 3x3 maze


def network(seed: int = 0, scale: int = 1) -> ImpalaPolicyNet:
    return ImpalaPolicyNet(scale, generator=torch.Generator().manual_seed(seed))


def same(a: ImpalaPolicyNet, b: ImpalaPolicyNet, prefix: str = "") -> bool:
    other = b.state_dict()
    return all(torch.equal(v, other[k]) for k, v in a.state_dict().items() if k.startswith(prefix))


def small_ppo(**options: object) -> MazePPO:
    policy = {"scale": 1, "bf16": False, "init_seed": 3, "optimizer_kwargs": {"eps": 1e-5}}
    envs = make_vec_env(4, mode="easy", region=5, seed=0)
    return MazePPO(
        MazeActorCriticPolicy, envs, n_steps=32, batch_size=64, policy_kwargs=policy, seed=0, device="cpu", **options
    )


def test_the_policy_is_the_network_and_nothing_else(tmp_path: Path) -> None:
    model = small_ppo()
    policy = model.policy
    assert isinstance(policy, MazeActorCriticPolicy)
    assert [k.removeprefix("net.") for k in policy.state_dict()] == list(network().state_dict())
    trained = [id(p) for group in policy.optimizer.param_groups for p in group["params"]]
    assert trained == [id(p) for p in policy.net.parameters()]
    assert policy.optimizer.defaults["eps"] == 1e-5
    assert same(policy.net, network(3))
    frames = np.random.default_rng(0).integers(0, 256, (5, 3, 64, 64), dtype=np.uint8)
    obs = torch.from_numpy(frames)
    logits, values = policy.net(obs.float() / 255)
    actions = torch.tensor([0, 3, 7, 9, 14])
    found_values, log_probs, entropy = policy.evaluate_actions(obs, actions)
    expected = torch.log_softmax(logits, -1)
    torch.testing.assert_close(found_values[:, 0], values)
    torch.testing.assert_close(policy.predict_values(obs)[:, 0], values)
    torch.testing.assert_close(log_probs, expected[range(5), actions])
    torch.testing.assert_close(entropy, -(expected.exp() * expected).sum(-1))
    model.save(tmp_path / "model.zip")
    loaded = MazePPO.load(tmp_path / "model.zip", device="cpu")
    assert isinstance(loaded.policy, MazeActorCriticPolicy) and same(loaded.policy.net, policy.net)
    greedy = model.predict(frames, deterministic=True)[0]
    np.testing.assert_array_equal(greedy, loaded.predict(frames, deterministic=True)[0])
    np.testing.assert_array_equal(greedy, logits.argmax(-1).numpy())


def test_bf16_stays_near_float32_and_gives_float32() -> None:
    policy = small_ppo().policy
    assert isinstance(policy, MazeActorCriticPolicy)
    obs = torch.from_numpy(np.random.default_rng(1).integers(0, 256, (4, 3, 64, 64), dtype=np.uint8))
    exact = policy.get_distribution(obs).distribution.logits
    policy.bf16 = True
    rough = policy.get_distribution(obs).distribution.logits
    assert rough.dtype == torch.float32 and policy.predict_values(obs).dtype == torch.float32
    assert 0 < float((rough - exact).detach().abs().max()) < 0.05


def test_monte_carlo_returns_are_those_of_gae_with_lambda_one() -> None:
    model = small_ppo(gae_lambda=1.0, gamma=0.97)
    model.learn(128)
    buffer = model.rollout_buffer
    # sb3's buffer was flattened for the update; a fresh rollout is in time order.
    _, callback = model._setup_learn(128)
    model.collect_rollouts(model.env, callback, buffer, 32)
    np.testing.assert_allclose(monte_carlo_returns(model), buffer.returns, rtol=1e-4, atol=1e-5)
    model.env.close()


def test_fitting_the_value_head_is_the_least_squares_solution() -> None:
    model = small_ppo()
    _, callback = model._setup_learn(128)
    model.collect_rollouts(model.env, callback, model.rollout_buffer, 32)
    buffer = model.rollout_buffer
    # Targets that a value head can meet exactly: known weights on the network's own features.
    policy = model.policy
    assert isinstance(policy, MazeActorCriticPolicy)
    obs = torch.from_numpy(buffer.observations.reshape(-1, 3, 64, 64))
    with torch.no_grad():
        wanted = 2.0 + policy.embed(obs) @ torch.linspace(-1, 1, 256)
    buffer.rewards[:] = wanted.reshape(32, 4).numpy()
    buffer.returns[-1] = buffer.rewards[-1]
    buffer.episode_starts[:] = 1.0  # every step an episode: the return is the reward
    before = {k: v.clone() for k, v in policy.net.state_dict().items()}
    model.fit_value_head(ridge=1e-9)
    with torch.no_grad():
        np.testing.assert_allclose(policy.predict_values(obs)[:, 0], wanted, atol=1e-2)
    changed = {k for k, v in policy.net.state_dict().items() if not torch.equal(v, before[k])}
    assert changed == {"fc_value.weight", "fc_value.bias"}
    model.env.close()


@pytest.mark.parametrize("warmup", [64, 33])  # rollouts are of 32
def test_a_warm_start_first_fits_the_value_head_alone(tmp_path: Path, warmup: int) -> None:
    warm = network(5)
    save_checkpoint(warm, tmp_path / "warm.safetensors")
    config = dataclasses.replace(SMALL, critic_warmup_steps=warmup)
    seen: list[tuple[int, int]] = []
    weights: list[dict[str, torch.Tensor]] = []

    def progress(done: int, total: int, figures: dict[str, float]) -> None:
        seen.append((done, total))
        if done > 32:
            path = tmp_path / "run" / "ppo.safetensors"
            weights.append({k: v.clone() for k, v in load_policy(str(path)).net.state_dict().items()})

    net = train_ppo(config, tmp_path / "run", tmp_path / "warm.safetensors", progress=progress, save_every_seconds=0.0)
    assert seen == [(32, 96), (64, 96), (96, 96)]
    for found in weights:  # after the two updates of the warm-up
        changed = {k for k, v in found.items() if not torch.equal(v, warm.state_dict()[k])}
        assert changed == {"fc_value.weight", "fc_value.bias"}
    assert not same(net, warm, "embedder") and not same(net, warm, "fc_policy")


def test_what_was_logged_before_the_first_save_is_logged_once(tmp_path: Path) -> None:
    def stop(done: int, total: int, figures: dict[str, float]) -> None:
        if done == 96:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train_ppo(SMALL, tmp_path, progress=stop)
    assert not (tmp_path / "ppo.zip").exists()
    train_ppo(SMALL, tmp_path)
    found = EventAccumulator(str(tmp_path / "tensorboard")).Reload()
    steps = [event.step for event in found.Scalars("train/loss")]
    assert steps == [32, 64, 96]


def test_a_damaged_archive_is_refused_in_one_line(tmp_path: Path) -> None:
    train_ppo(SMALL, tmp_path)
    whole = {}
    with zipfile.ZipFile(tmp_path / "ppo.zip") as archive:
        whole = {name: archive.read(name) for name in archive.namelist()}
    weights = torch.load(io.BytesIO(whole["policy.pth"]), weights_only=True)
    nan = io.BytesIO()
    torch.save({key: value * float("nan") for key, value in weights.items()}, nan)
    for name, data in (
        ("policy.pth", None),
        ("policy.pth", whole["policy.pth"][:-200]),
        ("policy.pth", nan.getvalue()),
        ("mazesteer.json", b"{}"),
        ("mazesteer.json", b"[]"),
        ("mazesteer.json", whole["mazesteer.json"].replace(b'"steps": ', b'"steps": "x", "s": ')),
    ):
        with zipfile.ZipFile(tmp_path / "ppo.zip", "w") as archive:
            for member, content in {**whole, name: data}.items():
                if content is not None:
                    archive.writestr(member, content)
        with pytest.raises(InputError, match=r"^[^\n]+ppo.zip: [^\n]+choose another --out$"):
            train_ppo(SMALL, tmp_path)


def test_an_interrupted_run_goes_on_where_it_was_saved(tmp_path: Path) -> None:
    def interrupt(done: int, total: int, figures: dict[str, float]) -> None:
        if done == 64:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train_ppo(SMALL, tmp_path, progress=interrupt, save_every_seconds=0.0)
    saved = load_policy(str(tmp_path / "ppo.zip")).net
    assert not same(saved, network(SMALL.seed))
    seen: list[int] = []

    def progress(done: int, total: int, figures: dict[str, float]) -> None:
        seen.append(done)

    net = train_ppo(SMALL, tmp_path, network(9), progress=progress, save_every_seconds=0.0)
    assert seen == [64, 96]
    assert not same(net, saved)
    # Adam counts its own steps: two minibatches an update, three updates in all.
    model = small_ppo()
    model.set_parameters(str(tmp_path / "ppo.zip"), device="cpu")
    state = model.policy.optimizer.state_dict()["state"]
    assert {int(s["step"]) for s in state.values()} == {6}
    rates = [e.value for e in scalars(tmp_path, "train/learning_rate")]
    np.testing.assert_allclose(rates, [5e-4, 5e-4 * 2 / 3, 5e-4 / 3], rtol=1e-5)
    # What has ended stays as it is.
    again = train_ppo(SMALL, tmp_path, progress=progress)
    assert seen == [64, 96] and same(again, net)
    with pytest.raises(InputError, match=r"other options \(region, seed\)"):
        train_ppo(dataclasses.replace(SMALL, seed=1, region=3), tmp_path)


def test_an_update_that_is_cut_off_keeps_the_passes_it_made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Three passes over each of two rollouts: the last two are lost, and are not made again."""
    config = dataclasses.replace(SMALL, total_steps=64, epochs=3)
    train, calls = PPO.train, []

    def watcher() -> Watcher:
        return Watcher(tmp_path, "ppo", 0, 5, levels=(90_000, 90_001))

    def stop_in_the_fifth(model: PPO) -> None:
        calls.append(model.num_timesteps)
        if len(calls) == 5:
            raise KeyboardInterrupt
        train(model)

    monkeypatch.setattr(PPO, "train", stop_in_the_fifth)
    with pytest.raises(KeyboardInterrupt):
        train_ppo(config, tmp_path / "ppo", save_every_seconds=0.0, watcher=watcher())
    assert calls == [32, 32, 32, 64, 64]
    saved = load_policy(str(tmp_path / "ppo" / "ppo.zip")).net
    assert [row["count"] for row in read_history(tmp_path)] == [0]
    net = train_ppo(config, tmp_path / "ppo", watcher=watcher())
    assert same(net, saved) and len(calls) == 5
    model = small_ppo()
    model.set_parameters(str(tmp_path / "ppo" / "ppo.zip"), device="cpu")
    made = {int(s["step"]) for s in model.policy.optimizer.state_dict()["state"].values()}
    assert made == {2 * 4}, "two minibatches a pass"
    assert [row["count"] for row in read_history(tmp_path)] == [0, 64], "the end is looked at all the same"
    assert same(train_ppo(config, tmp_path / "ppo", watcher=watcher()), net)


def test_passes_are_the_epochs_of_stable_baselines3() -> None:
    nets = []
    for options, passes in (({"n_epochs": 3}, 1), ({"n_epochs": 1}, 3)):
        model = small_ppo(**options)
        model.passes = passes
        model.learn(256)
        assert isinstance(model.policy, MazeActorCriticPolicy)
        nets.append(model.policy.net)
    assert same(*nets)


def scalars(run: Path, tag: str) -> list[Any]:
    """All events of a tag, over all event files of a run, by step."""
    events = EventAccumulator(str(run / "tensorboard"))
    events.Reload()
    return sorted(events.Scalars(tag), key=lambda e: e.step)


def test_what_a_run_leaves_behind(tmp_path: Path) -> None:
    config = dataclasses.replace(SMALL, n_steps=128, total_steps=512, minibatches=4, levels=THREE_BY_THREE)
    net = train_ppo(config, tmp_path)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["ppo.safetensors", "ppo.zip", "tensorboard"]
    for name in ("ppo.safetensors", "ppo.zip"):
        assert same(load_policy(str(tmp_path / name)).net, net)
    (returned,) = scalars(tmp_path, "rollout/ep_rew_mean")
    (length,) = scalars(tmp_path, "rollout/ep_len_mean")
    assert returned.value == 10 and 1 <= length.value < 128 and returned.step == length.step == 512
    with zipfile.ZipFile(tmp_path / "ppo.zip") as archive:
        assert archive.testzip() is None


def test_the_history_of_ppo_has_the_loss_of_each_update(tmp_path: Path) -> None:
    """The mean over the minibatches of the update's last pass, which the means of its terms add up to."""
    watcher = Watcher(tmp_path, "ppo", 0, 5, every=32, levels=(90_000, 90_001))
    train_ppo(dataclasses.replace(SMALL, entropy=0.1, value=0.3), tmp_path / "ppo", watcher=watcher)
    rows = read_history(tmp_path)
    assert [row["count"] for row in rows] == [0, 32, 64, 96] and "loss" not in rows[0], "nothing was learned yet"
    names = ("policy_gradient_loss", "entropy_loss", "value_loss")
    terms = zip(*(scalars(tmp_path / "ppo", f"train/{name}") for name in names), strict=True)
    known = {
        surrogate.step: surrogate.value + 0.1 * entropy.value + 0.3 * value.value for surrogate, entropy, value in terms
    }
    assert {row["count"]: row["loss"] for row in rows[1:]} == pytest.approx(known, abs=2e-5)
    assert len(set(known.values())) == 3


def test_while_only_the_value_head_is_fitted_there_is_no_loss(tmp_path: Path) -> None:
    watcher = Watcher(tmp_path, "ppo", 0, 5, every=32, levels=(90_000, 90_001))
    config = dataclasses.replace(SMALL, total_steps=64, critic_warmup_steps=32)
    train_ppo(config, tmp_path / "ppo", network(), watcher=watcher)
    rows = {row["count"]: row for row in read_history(tmp_path)}
    assert "value_fit" in rows[32] and "loss" not in rows[32] and "loss" in rows[64]


def test_learning_curves_do_not_take_the_loss_of_ppo_for_that_of_imitation(tmp_path: Path) -> None:
    exact = dict.fromkeys(("p_cheese_in_distribution", "p_cheese_anywhere", "p_region_anywhere"), 0.5)
    rows = [
        {"stage": "imitation", "count": 0, **exact, "loss": 1.0},
        {"stage": "imitation", "count": 4096, **exact, "loss": 0.5},
        {"stage": "ppo", "count": 8192, **exact},
    ]
    learning_curves(rows, tmp_path / "without.png")
    learning_curves([*rows[:2], {**rows[2], "loss": 1.2}], tmp_path / "with.png")
    assert (tmp_path / "with.png").read_bytes() == (tmp_path / "without.png").read_bytes()


def test_the_learning_rate_falls_from_full_to_one_share() -> None:
    decay = LinearDecay(3e-4, 0.25)
    # stable-baselines3 asks after the first, second, ... of four rollouts.
    np.testing.assert_allclose([decay(p) for p in (0.75, 0.5, 0.25, 0.0)], [3e-4, 2.25e-4, 1.5e-4, 0.75e-4])


def test_bad_input_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="do not divide into 3 minibatches"):
        PPOConfig(minibatches=3)
    with pytest.raises(InputError, match="n_envs is 0"):
        PPOConfig(n_envs=0)
    with pytest.raises(InputError, match="scale 2, the run has scale 1"):
        train_ppo(SMALL, tmp_path / "a", network(scale=2))
    (tmp_path / "warm.pt").write_bytes(b"nothing")
    with pytest.raises(InputError, match="not the state of a warm start"):
        train_ppo(SMALL, tmp_path / "b", tmp_path / "warm.pt")
    (tmp_path / "c").mkdir()
    (tmp_path / "c" / "ppo.zip").write_bytes(b"PK nothing")
    with pytest.raises(InputError, match="not the archive of a PPO run"):
        train_ppo(SMALL, tmp_path / "c")
