"""The wheel elsewhere: what a trial sees of a real server, and how an emulated Python is started."""

from __future__ import annotations

import platform
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from benchmarks.platforms.__main__ import _change
from benchmarks.platforms.emulated import _environment
from benchmarks.platforms.environments import Environment, run
from benchmarks.platforms.trial import ServerTrial, Setting, serve_command, try_server
from dermport.bundle.store import Bundle
from dermport.errors import UnavailableError
from dermport.server.config import ServingConfig

FP32 = Setting("onnxruntime", "fp32")
SEEN = ServerTrial("here", FP32, "ONNX Runtime", 1.0, 0.0, inputs=2, answers=((0.25, 0.75), (0.5, 0.5)), status=0)
HERE = Environment(Path(sys.executable), "3.11", platform.machine(), {"numpy": "2", "keras": "3"})


def test_a_trial_sees_all_of_a_real_server(exported_bundle: Bundle) -> None:
    seen = try_server(HERE, exported_bundle, FP32)
    assert seen.is_sound
    assert len(seen.answers) == len(exported_bundle.golden().index.photos)
    assert seen.proved < 1e-4
    assert seen.runtime.startswith("ONNX Runtime")


def test_a_server_that_cannot_start_is_told_with_its_own_words(exported_bundle: Bundle) -> None:
    with pytest.raises(UnavailableError, match=r"status 2: .*no-such-runtime"):
        try_server(HERE, exported_bundle, Setting("no-such-runtime", "fp32"))


@pytest.mark.parametrize("wrong", [{"inputs": 1}, {"status": -9}])
def test_one_thing_that_is_wrong_makes_a_trial_unsound(wrong: dict[str, int]) -> None:
    assert SEEN.is_sound
    assert not replace(SEEN, **wrong).is_sound


def test_a_change_is_held_against_the_first_answers_of_the_same_setting() -> None:
    other = replace(SEEN, setting=Setting("litert", "fp32"), answers=((1.0, 0.0), (1.0, 0.0)))
    later = replace(SEEN, environment="there", answers=((0.25, 0.75), (0.375, 0.625)))
    assert _change(later, [other, SEEN, later]) == 0.125
    assert _change(other, [other, SEEN, later]) == 0.0


def test_what_only_trains_is_found_among_the_packages() -> None:
    assert HERE.unwanted == ["keras"]


def test_an_emulated_server_is_given_more_time_to_start(tiny_bundle: Bundle) -> None:
    elsewhere = replace(HERE, machine="another")
    assert elsewhere.is_emulated
    assert not HERE.is_emulated
    command = serve_command(elsewhere, tiny_bundle, FP32)
    assert float(command[command.index("--start-seconds") + 1]) > ServingConfig().start_seconds
    assert "--start-seconds" not in serve_command(HERE, tiny_bundle, FP32)


def test_the_emulated_python_says_that_its_script_is_what_runs(tmp_path: Path) -> None:
    script = _environment(tmp_path / "a folder", Path("/root of it/python3.11"), ["echo", "-L", "/root of it"])
    assert run(script, "-c", "1 + 1").strip() == f"-L /root of it -0 {script} /root of it/python3.11 -c 1 + 1"
    assert (tmp_path / "a folder" / "lib" / "python3.11" / "site-packages").is_dir()


def test_a_command_that_fails_is_told_with_its_last_words() -> None:
    with pytest.raises(UnavailableError, match="failed: the end"):
        run("sh", "-c", "echo the end >&2; exit 3")
    with pytest.raises(UnavailableError, match="no such-program"):
        run("such-program")
