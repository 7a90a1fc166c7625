"""The loop with a recipe that takes milliseconds: the same weights however it was interrupted, and what it reports."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import torch
from accelerate.state import AcceleratorState
from safetensors.torch import save_file

from vssbench.datasets.export import export
from vssbench.errors import UserError
from vssbench.load import load_dataset
from vssbench.networks import checkpoints
from vssbench.registry import Entry, entries
from vssbench.specs import parse
from vssbench.training import loop
from vssbench.training.clips import Clips
from vssbench.training.data_digest import data_digest
from vssbench.training.job import Job
from vssbench.training.loop import Conduct

DATA = "synthetic(clips=2,frames=3,height=16,width=24)"
METHOD = "colours"


@pytest.fixture(autouse=True)
def toy(monkeypatch: pytest.MonkeyPatch) -> None:
    """The toy as a method of the package."""
    entry = Entry("tests.training.toy:Colours", recipe="tests.training.toy:ToyRecipe")
    monkeypatch.setitem(entries("methods"), METHOD, entry)
    AcceleratorState._reset_state(True)


def job(**changes: Any) -> Job:
    conduct = Conduct(log_every=2, validate_every=4, save_every=3)
    return replace(Job(parse(METHOD), DATA, validation="val", conduct=conduct), **changes)


def finished(folder: Path, **changes: Any) -> bytes:
    job(**changes).open().run(folder, resume=False)
    return (folder / "toy.safetensors").read_bytes()


def log(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / "log.jsonl").read_text().splitlines()]


def stop_at_once(folder: Path, monkeypatch: pytest.MonkeyPatch, **changes: Any) -> None:
    """A training that was interrupted at its first step."""

    def stopped(*_: Any) -> dict[str, float]:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(loop.Training, "step", stopped)
        with pytest.raises(KeyboardInterrupt):
            job(**changes).open().run(folder, resume=False)
    AcceleratorState._reset_state(True)


def test_same_seed_trains_the_same_file_and_a_different_seed_does_not(tmp_path: Path) -> None:
    first = finished(tmp_path / "a")
    assert finished(tmp_path / "b") == first
    assert finished(tmp_path / "c", settings={"seed": 1}) != first


@pytest.mark.parametrize("stop", [1, 3, 5, 7])
def test_interrupted_training_resumes_to_the_same_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, stop: int
) -> None:
    whole = finished(tmp_path / "whole")
    step = loop.Training.step

    def interrupted(self: loop.Training, number: int, batch: Any) -> dict[str, float]:
        if number == stop:
            raise KeyboardInterrupt
        return step(self, number, batch)

    with monkeypatch.context() as patched:
        patched.setattr(loop.Training, "step", interrupted)
        with pytest.raises(KeyboardInterrupt):
            job().open().run(tmp_path / "part", resume=False)
    job().open().run(tmp_path / "part", resume=True)
    assert (tmp_path / "part/toy.safetensors").read_bytes() == whole
    assert [entry["step"] for entry in log(tmp_path / "part")] == [entry["step"] for entry in log(tmp_path / "whole")]


def test_killed_training_resumes_from_the_last_saved_state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = finished(tmp_path / "whole")
    step = loop.Training.step

    def killed(self: loop.Training, number: int, batch: Any) -> dict[str, float]:
        if number == 5:
            raise SystemExit  # no state is saved on the way out
        return step(self, number, batch)

    with monkeypatch.context() as patched:
        patched.setattr(loop.Training, "step", killed)
        with pytest.raises(SystemExit):
            job().open().run(tmp_path / "part", resume=False)
    assert torch.load(tmp_path / "part/state.pt", weights_only=True)["step"] == 3
    job().open().run(tmp_path / "part", resume=True)
    assert (tmp_path / "part/toy.safetensors").read_bytes() == whole


def test_training_with_worker_processes_ends_with_the_same_file(tmp_path: Path) -> None:
    conduct = Conduct(workers=2)
    assert finished(tmp_path / "b", conduct=conduct) == finished(tmp_path / "a")


def test_checkpoint_records_its_method_data_settings_and_commit(tmp_path: Path) -> None:
    finished(tmp_path / "a", limit=1)
    checkpoint = checkpoints.read(tmp_path / "a/toy.safetensors")
    told = json.loads(checkpoint.metadata["training"])
    assert told["method"] == METHOD
    assert told["dataset"] == DATA
    assert told["settings"]["steps"] == 8
    assert len(told["fingerprint"]) == 64
    assert told["limit"] == 1
    assert "commit" in told
    assert not (tmp_path / "a/state.pt").exists()


def test_log_has_losses_rates_and_validations(tmp_path: Path) -> None:
    finished(tmp_path / "a")
    entries = log(tmp_path / "a")
    assert [entry["step"] for entry in entries if "loss" in entry] == [2, 4, 6, 8]
    assert [entry["step"] for entry in entries if "validation" in entry] == [4, 8]
    last = entries[-1]["validation"]
    assert last["protocol"] == "exact"
    assert 0 < last["mIoU"] < 100
    assert entries[0]["rate"] == pytest.approx(0.1 * 7 / 8)


def test_non_finite_loss_stops_training_and_names_step_and_frames(tmp_path: Path) -> None:
    opened = job().open()
    opened.recipe.module.poison = 5  # type: ignore[union-attr]
    with pytest.raises(UserError, match=r"train_000\d/00000\d.*\n?.*") as caught:
        opened.run(tmp_path / "a", resume=False)
    assert "not finite at step 4: class nan" in str(caught.value)
    assert torch.load(tmp_path / "a/state.pt", weights_only=True)["step"] == 3
    assert not (tmp_path / "a/toy.safetensors").exists()


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"settings": {"rate": 0.2}}, "settings"),
        ({"dataset": "synthetic(clips=3,frames=3,height=16,width=24)"}, "dataset"),
        ({"precision": "bf16"}, "precision"),
    ],
)
def test_resuming_under_changed_conditions_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, changes: dict[str, Any], told: str
) -> None:
    stop_at_once(tmp_path / "a", monkeypatch)
    with pytest.raises(UserError, match=f"different conditions: {told}"):
        job(**changes).open().run(tmp_path / "a", resume=True)


@pytest.mark.parametrize(("place", "told"), [("trainannot", "data labels"), ("train", "data frames")])
def test_resuming_on_replaced_data_files_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, place: str, told: str
) -> None:
    """Their names and sizes are the same; a copy of the same files elsewhere is the same data."""
    export(load_dataset(DATA), "camvid", tmp_path / "data", split="train")
    files = {"dataset": "camvid", "validation": "none"}
    stop_at_once(tmp_path / "a", monkeypatch, data_root=tmp_path / "data", **files)
    shutil.copytree(tmp_path / "a", tmp_path / "b")
    shutil.copytree(tmp_path / "data", tmp_path / "copy")
    for file in (tmp_path / "data" / place).iterdir():
        cv2.imwrite(str(file), np.zeros_like(cv2.imread(str(file), cv2.IMREAD_UNCHANGED)))
    with pytest.raises(UserError, match=f"different conditions: {told} '[0-9a-f]{{16}}', now '[0-9a-f]{{16}}'"):
        job(data_root=tmp_path / "data", **files).open().run(tmp_path / "a", resume=True)
    AcceleratorState._reset_state(True)
    job(data_root=tmp_path / "copy", **files).open().run(tmp_path / "b", resume=True)


def test_resuming_with_edited_dataset_code_or_start_weights_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The code of a dataset, and the weights to start from."""
    code = tmp_path / "own.py"
    code.write_text("from vssbench.datasets.synthetic.dataset import Synthetic as Own\n")
    dataset = DATA.replace("synthetic", f"{code}:Own")
    stop_at_once(tmp_path / "a", monkeypatch, dataset=dataset)
    code.write_text(code.read_text() + "# edited\n")
    with pytest.raises(UserError, match=f"different conditions: files {code} '"):
        job(dataset=dataset).open().run(tmp_path / "a", resume=True)
    AcceleratorState._reset_state(True)
    weights = tmp_path / "start.safetensors"
    save_file({"a": torch.zeros(1)}, weights)
    stop_at_once(tmp_path / "b", monkeypatch, start=weights)
    save_file({"a": torch.ones(1)}, weights)
    with pytest.raises(UserError, match="different conditions: start sha256 '"):
        job(start=weights).open().run(tmp_path / "b", resume=True)


def test_data_digest_can_be_over_a_sample_of_the_clips() -> None:
    clips = Clips(load_dataset("synthetic(clips=7,frames=2,height=16,width=24)"))
    assert data_digest(clips)["clips"] == "7 of 7"
    assert data_digest(clips, 3)["clips"] == "3 of 7"
    other = Clips(load_dataset("synthetic(clips=7,frames=2,height=16,width=24,seed=1)"))
    assert data_digest(clips, 3)["labels"] != data_digest(other, 3)["labels"]


def test_folder_of_a_finished_training_is_refused(tmp_path: Path) -> None:
    finished(tmp_path / "a")
    before = contents(tmp_path / "a")
    assert before.keys() >= {"training.json", "log.jsonl", "toy.safetensors"}
    with pytest.raises(UserError, match="already holds files"):
        job().open().run(tmp_path / "a", resume=False)
    with pytest.raises(UserError, match="is finished"):
        job().open().run(tmp_path / "a", resume=True)
    assert contents(tmp_path / "a") == before


@pytest.mark.parametrize("resume", [False, True])
def test_folder_of_other_files_is_refused_and_unchanged(tmp_path: Path, resume: bool) -> None:
    (tmp_path / "log.jsonl").write_text("somebody's notes\n")
    with pytest.raises(UserError, match="already holds files"):
        job().open().run(tmp_path, resume=resume)
    assert contents(tmp_path) == {"log.jsonl": b"somebody's notes\n"}


def contents(folder: Path) -> dict[str, bytes]:
    """Name -> bytes of the files of a folder, except for the lock, which holds nothing."""
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.name != ".lock"}


def test_plan_states_time_memory_and_data_and_writes_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    plan = job(settings={"steps": 1000}).open().plan()
    assert plan["settings"]["steps"] == 1000
    assert plan["trained_params_m"] == pytest.approx((3 + 1) * 11 / 1e6)
    assert plan["expected_seconds"] == pytest.approx(1000 * plan["seconds_per_step"])
    assert plan["memory_mb"]["host_peak"] > 10
    assert (plan["clips"], plan["labelled_frames"]) == (2, 6)
    assert not list(tmp_path.iterdir())


def test_processes_share_out_the_examples_of_each_batch(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each clip occurs once in a round of eight examples, so the names tell the examples of a batch of four apart."""

    def batches(processes: int, index: int) -> list[list[str]]:
        monkeypatch.setattr("accelerate.Accelerator.num_processes", processes)
        monkeypatch.setattr("accelerate.Accelerator.process_index", index)
        dataset = "synthetic(clips=8,frames=3,height=16,width=24)"
        training = job(dataset=dataset, settings={"batch": 4}).open().training
        return [list(batch.names) for batch in training.batches(0)]

    alone = batches(1, 0)
    shares = [batches(2, index) for index in range(2)]
    assert [len({*names}) for names in alone] == [4] * 8
    assert [one + other for one, other in zip(*shares, strict=True)] == alone
    assert all(len(names) == 2 for share in shares for names in share)


def test_batch_not_divisible_by_the_processes_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("accelerate.Accelerator.num_processes", 3)
    with pytest.raises(UserError, match="cannot be divided among 3"):
        job().open()


def test_method_that_is_unknown_or_has_no_recipe_is_refused() -> None:
    with pytest.raises(UserError, match="hold has no training recipe"):
        job(method=parse("hold(of=oracle)")).open()
    with pytest.raises(UserError, match="unknown method 'mpvs'"):
        job(method=parse("mpvs")).open()


@pytest.mark.parametrize("spec", ["psp18(dtype=bf16)", "mask2former(decode=fast)", "mrcfa(compile=true)"])
def test_inference_options_are_refused_unless_they_are_the_default(spec: str) -> None:
    with pytest.raises(UserError, match="training ignores part") as caught:
        job(method=parse(spec)).open()
    assert f"vssbench train {parse(spec).name};" in str(caught.value)
    assert job(method=parse("psp18(dtype=float32)")).open()


def test_option_that_the_recipe_lacks_is_refused() -> None:
    with pytest.raises(UserError, match="no option 'window'"):
        job(options={"window": 3}).open()


def test_toy_recipe_reduces_its_loss(tmp_path: Path) -> None:
    finished(tmp_path / "a", settings={"steps": 100})
    losses = [entry["loss"] for entry in log(tmp_path / "a") if "loss" in entry]
    assert sum(losses[-5:]) / 5 < 0.8 * losses[0]
