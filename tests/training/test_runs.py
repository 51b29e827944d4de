"""What a run writes as it goes, and how runs are found and told apart."""

from __future__ import annotations

import csv
import shutil
from pathlib import Path

import pytest

from dermport.bundle.store import Bundle
from dermport.errors import DataError, UsageError
from dermport.training.phases.state import EpochFigures, PhaseState, save_state
from dermport.training.run import open_run, run_folder
from dermport.training.runs.log import RunLog, write_events
from dermport.training.runs.registry import differing, find_runs, open_entry, options_of


def _epochs(phase: str, count: int) -> tuple[EpochFigures, ...]:
    return tuple(
        EpochFigures(phase, n, 1 / n, 0.5, 2 / n, 0.4, None if n == 1 else 0.6, 3.0, 0.9) for n in range(1, count + 1)
    )


def test_the_table_has_each_epoch_once_whatever_was_written_before(tmp_path: Path) -> None:
    RunLog(tmp_path, "head").write(_epochs("head", 2))
    RunLog(tmp_path, "all").write(_epochs("all", 3))
    RunLog(tmp_path, "all").write(_epochs("all", 2))  # resumed from a checkpoint before the last line
    with (tmp_path / "log.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [(row["phase"], row["epoch"]) for row in rows] == [("head", "1"), ("head", "2"), ("all", "1"), ("all", "2")]
    assert rows[2] == {
        "phase": "all", "epoch": "1", "loss": "1.0", "accuracy": "0.5", "val_loss": "2.0", "val_accuracy": "0.4",
        "val_macro_auc": "", "seconds": "3.0", "busy": "0.9",
    }  # fmt: skip


def test_tensorboard_reads_the_events(tmp_path: Path) -> None:
    import tensorflow as tf

    write_events(tmp_path, (*_epochs("head", 1), *_epochs("all", 2)))
    path = tmp_path / "all" / "validation" / "events.out.tfevents.dermport"
    events = [tf.compat.v1.Event.FromString(one.numpy()) for one in tf.data.TFRecordDataset(str(path))]
    assert events[0].file_version == "brain.Event:2"
    found = [(e.step, e.wall_time, {v.tag: v.simple_value for v in e.summary.value}) for e in events[1:]]
    assert [one[:2] for one in found] == [(1, 3.0), (2, 6.0)]
    assert found[0][2] == pytest.approx({"loss": 2.0, "accuracy": 0.4})
    assert found[1][2] == pytest.approx({"loss": 1.0, "accuracy": 0.4, "macro_auc": 0.6})
    assert (tmp_path / "head" / "train").is_dir()


def test_a_command_is_told_by_its_options_and_their_defaults() -> None:
    trained = options_of(
        "dermport train --data /a/ham --out b --weights=/w/trunk.h5 --fine-tune all --require-metadata"
    )
    assert trained["command"] == "train"
    assert (trained["data"], trained["weights"], trained["fine-tune"]) == ("ham", "trunk.h5", "all")
    assert (trained["input-size"], trained["lr"], trained["require-metadata"]) == ("224", "0.001", "yes")
    assert "out" not in trained
    compressed = options_of("dermport compress artifacts/ham7 --recipe int8 --data x --out y")
    assert compressed == {"command": "compress", "from": "ham7", "recipe": "int8", "data": "x"}


def test_bundles_and_unfinished_trainings_are_found(shared_bundle: Bundle, tmp_path: Path) -> None:
    (tmp_path / "deep").mkdir()
    (tmp_path / "deep" / "tiny").symlink_to(shared_bundle.path)
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken" / "bundle.json").write_text("{}")
    out = tmp_path / "mine"
    run = open_run(out, {"recipe": {"size": 64}}, "dermport train --data d --out mine --input-size 64")
    save_state(run.folder / "head.npz", PhaseState(_epochs("head", 4)))
    open_run(tmp_path / "old", {"recipe": {"size": 96}, "dataset": "a"})  # of a version that kept no command
    entries = {one.name: one for one in find_runs(tmp_path)}
    assert {name: one.state for name, one in entries.items()} == {
        "deep/tiny": "finished", "broken": "damaged", "mine": "unfinished", "old": "unfinished",
    }  # fmt: skip
    assert entries["mine"].note == "head 4 epochs"
    assert (entries["mine"].seconds, entries["old"].note) == (12.0, "no epoch yet")
    assert differing([entries["mine"], entries["old"]]) == ["data", "input-size"]
    assert entries["mine"].curves()["val_loss"] == [2.0, 1.0, 2 / 3, 0.5]
    with pytest.raises(DataError, match="no history"):
        entries["old"].curves()
    assert run_folder(out) == run.folder
    with pytest.raises(UsageError, match="neither a bundle nor"):
        open_entry(tmp_path / "nothing")


def test_a_bundle_without_its_split_is_damaged_and_the_others_are_listed(tiny_bundle: Bundle, tmp_path: Path) -> None:
    shutil.copytree(tiny_bundle.path, tmp_path / "torn")
    (tmp_path / "torn" / "split.csv").unlink()
    found = {entry.name: entry for entry in find_runs(tmp_path)}
    assert (found["tiny"].state, found["torn"].state) == ("finished", "damaged")
    assert "split.csv" in found["torn"].note
