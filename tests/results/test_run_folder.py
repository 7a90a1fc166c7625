"""The run directory keeps what was measured, whatever fails at any write, fsync or rename."""

from __future__ import annotations

import errno
import json
import os
import shutil
from pathlib import Path

import pytest

from tests.helpers.faults import Crash, FaultyOs
from vssbench.errors import UserError
from vssbench.files import atomic
from vssbench.files.atomic import read_json, write_json
from vssbench.results.record import ClipRecord
from vssbench.results.run_folder import RunDirectory, read_clips, slug


def record(clip: str, frames: int = 3) -> ClipRecord:
    return ClipRecord(clip=clip, frames=frames, labelled=frames, kinds={"key": frames}, states={"x": [1]}, seconds={})


def small_run(folder: Path, resume: bool) -> str:
    """A small run of three clips that skips existing ones; returns the text of its final result."""
    with RunDirectory(folder, {"spec": 1}, resume) as run:
        method = run.method("hold(of=oracle)", {"dataset": "d", "metrics": ["x"]})
        for clip in ("a", "b", "c"):
            if clip not in method.records:
                method.add(record(clip))
        text = json.dumps([method.records[clip].model_dump() for clip in ("a", "b", "c")])
        method.write("result.json", text)
    return text


@pytest.mark.parametrize(
    "error", [OSError(errno.ENOSPC, "No space left on device"), Crash()], ids=["disk full", "kill"]
)
def test_resume_after_a_fault_at_every_write_fsync_and_rename(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    wanted = small_run(tmp_path / "whole", resume=False)
    counter = FaultyOs(0, error)
    monkeypatch.setattr(atomic, "os", counter)
    small_run(tmp_path / "counted", resume=False)
    assert counter.calls > 15
    for number in range(1, counter.calls + 1):
        folder = tmp_path / str(number)
        monkeypatch.setattr(atomic, "os", FaultyOs(number, error))
        with pytest.raises((UserError, Crash)):
            small_run(folder, resume=False)
        monkeypatch.setattr(atomic, "os", os)
        assert small_run(folder, resume=True) == wanted
        assert not [
            line for line in (folder / slug("hold(of=oracle)") / "clips.jsonl").read_text().splitlines() if not line
        ]


def test_resumed_run_already_has_the_records_of_finished_clips(tmp_path: Path) -> None:
    small_run(tmp_path / "run", resume=False)
    with RunDirectory(tmp_path / "run", {"spec": 1}, resume=True) as run:
        found = run.method("hold(of=oracle)", {"dataset": "d", "metrics": ["x"]})
        assert found.records == {
            clip: record(clip).model_copy(update={"conditions": found.conditions}) for clip in "abc"
        }


def test_existing_run_is_refused_without_resume(tmp_path: Path) -> None:
    small_run(tmp_path / "run", resume=False)
    with pytest.raises(UserError, match="--resume"):
        RunDirectory(tmp_path / "run", {}, resume=False)


def test_empty_output_folder_is_accepted(tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    RunDirectory(tmp_path / "run", {}, resume=False).close()


def test_second_writer_of_a_run_is_refused(tmp_path: Path) -> None:
    with (
        RunDirectory(tmp_path / "run", {}, resume=False),
        pytest.raises(UserError, match="another vssbench process is writing here"),
    ):
        RunDirectory(tmp_path / "run", {}, resume=True)


def test_resuming_under_different_conditions_is_refused_and_names_them(tmp_path: Path) -> None:
    small_run(tmp_path / "run", resume=False)
    with (
        RunDirectory(tmp_path / "run", {}, resume=True) as run,
        pytest.raises(UserError, match=r"dataset: 'd' then, 'e' now"),
    ):
        run.method("hold(of=oracle)", {"dataset": "e"})


def test_changed_version_moves_records_to_stale_and_measures_again(tmp_path: Path) -> None:
    small_run(tmp_path / "run", resume=False)
    identity = {"dataset": "d", "metrics": ["x"], "vssbench": "0.3.0"}
    with RunDirectory(tmp_path / "run", {}, resume=True) as run:
        method = run.method("hold(of=oracle)", identity)
        assert method.changed == ["vssbench: None then, '0.3.0' now"]
        assert method.records == {}
        assert list(read_clips(method.folder / "stale.jsonl")) == ["a", "b", "c"]
        method.add(record("a"))
    with RunDirectory(tmp_path / "run", {}, resume=True) as run:  # interrupted there: the new record is kept
        method = run.method("hold(of=oracle)", identity)
        assert (list(method.records), method.changed) == (["a"], [])


def test_records_copied_from_another_method_are_ignored(tmp_path: Path) -> None:
    """A clips.jsonl was copied from one method's folder into that of a different method."""
    with RunDirectory(tmp_path / "run", {}, resume=False) as run:
        one, other = (run.method(name, {"method": name, "metrics": ["x"]}) for name in "ab")
        one.add(record("a"))
        shutil.copy(one.clips_file, other.clips_file)
        assert list(run.method("a", {"method": "a", "metrics": ["x"]}).records) == ["a"]
        assert run.method("b", {"method": "b", "metrics": ["x"]}).records == {}


def test_duplicate_clip_with_different_numbers_is_an_error_with_its_line(tmp_path: Path) -> None:
    path = tmp_path / "clips.jsonl"
    lines = [json.dumps(record("a", frames).model_dump()) for frames in (3, 3, 4)]
    path.write_text("\n".join(lines[:2]) + "\n")
    assert list(read_clips(path)) == ["a"]
    path.write_text("\n".join(lines) + "\n")
    with pytest.raises(UserError, match="has the clip 'a' twice") as caught:
        read_clips(path)
    assert caught.value.where == f"{path}:3"


@pytest.mark.parametrize("damage", [None, "", "{", "[]", "{}", '{"metrics": 1}'])
def test_run_with_missing_or_damaged_identity_is_not_resumed(tmp_path: Path, damage: str | None) -> None:
    small_run(tmp_path / "run", resume=False)
    (file,) = (tmp_path / "run").glob("*/identity.json")
    if damage is None:
        file.unlink()
    else:
        file.write_text(damage)
    with pytest.raises(UserError, match="under which conditions") as caught:
        small_run(tmp_path / "run", resume=True)
    assert caught.value.where == file


def test_damaged_line_of_the_clip_records_is_reported_with_its_number(tmp_path: Path) -> None:
    path = tmp_path / "clips.jsonl"
    lines = [json.dumps(record(clip).model_dump()) for clip in "ab"]
    path.write_text(f"{lines[0]}\n{lines[1][:20]}\n{lines[1]}\n")
    with pytest.raises(UserError, match=r"clips.jsonl:2"):
        read_clips(path)


def test_output_path_that_is_a_file_or_below_one_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    for path in ("file", "file/run"):
        with pytest.raises(UserError, match=r"cannot be written(.|\n)*name a folder in --output"):
            RunDirectory(tmp_path / path, {}, resume=False)


def test_json_file_reads_back_and_a_damaged_one_is_refused(tmp_path: Path) -> None:
    write_json(tmp_path / "x.json", {"a": [1, None]})
    assert read_json(tmp_path / "x.json") == {"a": [1, None]}
    (tmp_path / "x.json").write_text('{"a":')
    with pytest.raises(UserError, match=r"x\.json"):
        read_json(tmp_path / "x.json")


def test_slugs_are_safe_file_names_and_distinct() -> None:
    specs = ["a(b=1)", "a(b=2)", 'replay(predictions="../../x y")', "a" * 500, "a" * 501]
    slugs = {slug(spec) for spec in specs}
    assert len(slugs) == len(specs)
    assert all("/" not in name and ".." not in name and len(name) < 100 for name in slugs)


def test_folder_that_is_not_a_run_is_not_resumed_and_stays_unchanged(tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").write_text("years of work")
    with pytest.raises(UserError, match="holds files but no run to continue"):
        RunDirectory(tmp_path, {"asked": 1}, resume=True)
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.tex"]


def test_partial_files_of_a_killed_run_are_removed_on_resume(tmp_path: Path) -> None:
    with RunDirectory(tmp_path / "run", {}, resume=False):
        pass
    (tmp_path / "run" / ".0123.part").write_text("half")
    with RunDirectory(tmp_path / "run", {}, resume=True):
        assert not list((tmp_path / "run").glob(".*.part"))
