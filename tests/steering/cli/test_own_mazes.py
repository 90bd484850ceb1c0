"""``--maze FILE``: a maze of one's own wherever one level is asked for."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from agents.checkpoints.zoo import load_policy
from envs.maze import Maze
from steering.experiments.exact import evaluate
from tests.helpers.command import mazesteer

DRAWN = ".....\n.###.\n.#C..\n.###.\nM....\n"


@pytest.fixture
def drawn(tmp_path: Path) -> Path:
    file = tmp_path / "maze.txt"
    file.write_text(DRAWN)
    return file


def test_the_outcome_is_that_of_the_maze_in_the_file(drawn: Path) -> None:
    done = mazesteer("outcome", "--maze", drawn, "--json")
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)
    assert (report["level"], report["maze"]) == (None, DRAWN.strip())
    assert report["outcome"] == evaluate(load_policy("region5"), Maze.from_ascii(DRAWN)).to_json()
    drawn.write_bytes(b"\xef\xbb\xbf" + DRAWN.replace("\n", "\r\n").encode())  # as some editors write it
    assert json.loads(mazesteer("outcome", "--maze", drawn, "--json").stdout) == report
    subtracted = json.loads(mazesteer("outcome", "--maze", drawn, "--condition", "subtract", "--json").stdout)
    assert subtracted["site"] == "embedder.block2.res1.resadd"
    assert subtracted["clean"] == report["outcome"] != subtracted["outcome"]


def test_a_film_of_it_can_be_replayed_and_a_field_be_drawn(drawn: Path, tmp_path: Path) -> None:
    short = ["--horizon", "2", "--size", "64"]
    film, rollouts = tmp_path / "x.gif", tmp_path / "rollouts"
    filmed = mazesteer("video", "--maze", drawn, "--conditions", "clean", *short, "--out", film, "--record", rollouts)
    assert filmed.returncode == 0 and "maze of one's own" in filmed.stdout, filmed.stderr
    replayed = mazesteer("replay", rollouts / "maze_clean.npz")
    assert replayed.returncode == 0 and "2 moves made again" in replayed.stdout, replayed.stderr
    field = mazesteer("field", "--maze", drawn, "--condition", "clean", "--out", tmp_path / "x.svg")
    assert field.returncode == 0 and "maze of one's own" in (tmp_path / "x.svg").read_text(), field.stderr


@pytest.mark.parametrize("command", ["outcome", "video", "field"])
def test_what_is_no_maze_is_one_line_that_names_the_file(command: str, drawn: Path, tmp_path: Path) -> None:
    file = tmp_path / "bad"
    for data, says in (
        (b"", "0 rows of 0 to 0 characters"),
        (b"M.\n.C", "odd side 3 to 25"),
        (b"M..\n.#.\n..X", "row 3 holds 'X'"),
        (b"M#C\n.#.\n.#.", "no path from the mouse"),
        (bytes(range(256)), "ASCII maze"),
        (b"#" * 2**15, "32768 bytes, expected at most"),
    ):
        file.write_bytes(data)
        done = mazesteer(command, "--maze", file, cwd=tmp_path)
        assert done.returncode == 2 and done.stderr.count("\n") == 1, done.stderr
        assert str(file) in done.stderr and says in done.stderr
    for given, says in ((["--maze", tmp_path], "a directory"), (["--maze", drawn, "--level", "3"], "not both")):
        done = mazesteer(command, *given, cwd=tmp_path)
        assert done.returncode == 2 and done.stderr.count("\n") == 1 and says in done.stderr
    assert sorted(path.name for path in tmp_path.iterdir()) == ["bad", "maze.txt"]
