"""The baseline file: what it keeps, and what it refuses."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.gate.made import SAMPLES, result, snapshot, write
from vssbench.errors import UserError
from vssbench.gate.baseline import keyed, read_baseline, read_either, read_runs, updated


def test_baseline_survives_write_and_read(tmp_path: Path) -> None:
    made = updated({}, snapshot(result(), result("arseg", 150)).entries, " first ", prune=False)
    made.write(tmp_path / "baseline.json")
    assert read_baseline(tmp_path / "baseline.json") == made
    assert made.reason == "first"
    assert [entry.method for entry in made.entries] == ["arseg", "mpvss"]


def test_baseline_keeps_every_figure_that_a_rule_can_name() -> None:
    figures = snapshot(result(fps={"step": 20.0, "step+decode": 15.0, "end_to_end": 12.0})).entries
    (entry,) = figures.values()
    assert entry.figures["mIoU"] == pytest.approx(100 * 900 / 1100)
    assert entry.figures["gflops"] == 0.8
    assert entry.figures["gflops(nonkey)"] == 0.5
    assert entry.figures["gflops(warmup)"] is None
    assert entry.figures["params"] == 3.0
    assert entry.figures["memory(host_working)"] == 40.0
    assert entry.figures["fps(step+decode)"] == 15.0


def test_baseline_keeps_the_reason_for_a_missing_figure() -> None:
    (entry,) = snapshot(result(metrics={"mIoU": None}, reasons={"mIoU": "0/0: no labelled pixel"})).entries.values()
    assert entry.reasons == {"mIoU": "0/0: no labelled pixel", "gflops(warmup)": "no warmup frame was counted"}
    assert all(entry.figures[name] is None for name in entry.reasons)


def test_baseline_omits_the_path_of_the_weights(tmp_path: Path) -> None:
    updated({}, snapshot(result()).entries, "first", prune=False).write(tmp_path / "baseline.json")
    assert "secret" not in (tmp_path / "baseline.json").read_text()


def test_update_keeps_unmeasured_entries_unless_it_prunes() -> None:
    old, new = snapshot(result(), result("arseg")).entries, snapshot(result(wrong=50), result("mrcfa")).entries
    kept = keyed(updated(old, new, "better weights", prune=False).entries)
    assert [method for method, _ in kept] == ["arseg", "mpvss", "mrcfa"]
    assert kept["arseg", "synthetic val"] == old["arseg", "synthetic val"]
    assert kept["mpvss", "synthetic val"] == new["mpvss", "synthetic val"]
    assert keyed(updated(old, new, "better weights", prune=True).entries) == new


@pytest.mark.parametrize("reason", ["", "  \n"])
def test_baseline_without_a_reason_is_refused(reason: str) -> None:
    with pytest.raises(UserError, match="needs a reason"):
        updated({}, snapshot(result()).entries, reason, prune=False)


def test_damaged_baseline_is_one_error_message(tmp_path: Path) -> None:
    file = tmp_path / "baseline.json"
    with pytest.raises(UserError, match="vssbench baseline update"):
        read_baseline(file)
    good = json.loads(
        json.dumps(updated({}, snapshot(result()).entries, "first", prune=False).model_dump(by_alias=True))
    )
    for text, part in [
        ("{", "cannot be read"),
        ("[]", "is not a baseline"),
        (json.dumps({"schema": 1, "method": "mpvss"}), "is not a baseline"),
        (json.dumps(good | {"schema": 2}), "reads up to 1"),
        (json.dumps(good | {"more": 1}), "key more"),
        (json.dumps(good | {"reason": ""}), "key reason"),
        (json.dumps(good | {"schema": 0}), "is not a baseline"),
        (json.dumps(good | {"schema": True}), "is not a baseline"),
        (json.dumps(good | {"entries": []}), "key entries: "),
        (json.dumps(good | {"entries": good["entries"] * 2}), "mpvss on synthetic val appears twice"),
        ("[" * 100_000, "cannot be read"),
        (json.dumps(good).replace(repr(good["entries"][0]["figures"]["mIoU"]), "NaN"), "key entries.0.figures.mIoU"),
        (json.dumps(good).replace(repr(good["entries"][0]["figures"]["mIoU"]), "1e999"), "key entries.0.figures.mIoU"),
        (json.dumps(good | {"entries": [{"method": "mpvss"}]}), r"key entries.0"),
    ]:
        file.write_text(text)
        with pytest.raises(UserError, match=part):
            read_either(file)


def test_run_folder_can_replace_the_baseline_file(tmp_path: Path) -> None:
    run = write(tmp_path / "run", (result(), 100), (result("arseg", 150), 150))
    found = read_either(run)
    assert found.entries == snapshot(result(), result("arseg", 150)).entries
    assert {folder.parent for folder in found.folders.values()} == {run}
    assert set(found.folders) == set(found.entries)


def test_method_measured_twice_is_refused(tmp_path: Path) -> None:
    first, second = (write(tmp_path / name, (result(), 100)) for name in ("one", "two"))
    with pytest.raises(UserError, match="measured twice"):
        read_runs([first, second])


def test_error_says_why_a_folder_has_no_result(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"holds no <method>/result\.json") as caught:
        read_runs([tmp_path])
    assert caught.value.fix is None
    (tmp_path / "run.json").write_text("{}")
    with pytest.raises(UserError, match="--resume"):
        read_runs([tmp_path])
    with pytest.raises(UserError, match="does not exist"):
        read_runs([tmp_path / "nowhere"])
    with pytest.raises(UserError, match="is a file"):
        read_runs([tmp_path / "run.json"])


def test_nan_in_the_timing_of_a_baseline_is_refused(tmp_path: Path) -> None:
    made = updated({}, snapshot(result(samples_ms=SAMPLES, reference_ms=[2.0, 4.0])).entries, "first", prune=False)
    data = made.model_dump(by_alias=True)
    (tmp_path / "baseline.json").write_text(json.dumps(data))
    assert read_baseline(tmp_path / "baseline.json") == made
    data["entries"][0]["timing"]["blocks_ms"]["step"][1] = float("nan")
    (tmp_path / "baseline.json").write_text(json.dumps(data))
    with pytest.raises(UserError, match=r"key entries.0.timing.blocks_ms.step.1"):
        read_baseline(tmp_path / "baseline.json")


def test_baseline_file_states_its_schema() -> None:
    made = updated({}, snapshot(result()).entries, "first", prune=False)
    assert made.model_dump(by_alias=True)["schema"] == 1
