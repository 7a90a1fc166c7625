"""What a worker on another node must share with the driver, and what happens if it does not."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest

from tests.robustness.made import vspw
from vssbench.bench.node_check import listing, shared
from vssbench.bench.ray_pool import Opened, Spread, Worker
from vssbench.bench.session import Bench, Failed, Ran, Task
from vssbench.bench.spec import RunSpec
from vssbench.datasets.on_disk import FileDataset
from vssbench.errors import UserError
from vssbench.progress import Progress
from vssbench.specs import parse

METHOD = parse("hold(of=oracle)")


def spec(root: Path, **more: Any) -> RunSpec:
    return RunSpec(methods=[str(METHOD)], dataset="vspw", data_root=str(root), metrics=["mIoU"], **more)


def opened(run: RunSpec) -> Worker:
    worker = Worker()
    worker.open(run, ".")
    return worker


def test_worker_opens_no_clip_before_running_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = spec(vspw(tmp_path))
    bench = Bench(run)
    wanted = listing(bench, "b")
    seen: list[str] = []
    items = FileDataset.items
    monkeypatch.setattr(FileDataset, "items", lambda self, clip: seen.append(clip) or items(self, clip))
    worker = opened(run)
    assert shared(worker.bench) == shared(bench)
    assert not seen
    ran = worker.run(Task(METHOD, "b"), wanted)
    assert isinstance(ran, Ran)
    assert ran.record == bench.run(Task(METHOD, "b")).record.model_copy(update={"seconds": ran.record.seconds})
    assert set(seen) == {"b"}


@pytest.mark.parametrize("limit", [None, 1])
def test_driver_lists_each_clip_once_for_lengths_and_fingerprint(
    limit: int | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = Bench(spec(vspw(tmp_path))).describe()
    seen: list[str] = []
    stems = FileDataset.stems
    monkeypatch.setattr(FileDataset, "stems", lambda self, clip: seen.append(clip) or stems(self, clip))
    bench = Bench(spec(tmp_path, limit=limit))
    assert seen == ["a", "b", "c"][:limit]
    assert bench.describe().fingerprint == bench.describe().fingerprint == whole.fingerprint
    assert seen == ["a", "b", "c"]


@pytest.mark.parametrize("on_error", ["stop", "skip-clip"])
@pytest.mark.parametrize("damage", ["fewer", "none", "renamed"])
def test_node_with_different_frames_is_refused_without_failing_the_clip(
    damage: str, on_error: str, tmp_path: Path
) -> None:
    wanted = listing(Bench(spec(vspw(tmp_path / "here"))), "b")
    run = spec(vspw(tmp_path / "there"), on_error=on_error)
    worker = opened(run)
    clip = tmp_path / "there" / "data" / "b"
    if damage == "none":
        shutil.rmtree(clip)
    else:
        for kind in ("origin", "mask"):
            (file,) = (clip / kind).glob("002.*")
            file.rename(file.with_stem("003")) if damage == "renamed" else file.unlink()
    with pytest.raises(
        UserError, match="b' in val.txt does not exist" if damage == "none" else "different frames there"
    ):
        worker.run(Task(METHOD, "b"), wanted)
    (clip.parent / "a" / "mask" / "000.png").write_bytes(b"no image")
    if on_error == "skip-clip":  # if a clip is damaged for every worker, the clip is at fault
        assert isinstance(worker.run(Task(METHOD, "a"), listing(worker.bench, "a")), Failed)


def test_error_names_what_differs_on_a_node(tmp_path: Path) -> None:
    bench = Bench(spec(vspw(tmp_path)))
    spread = Spread(None, bench, [], Progress())
    spread._welcome(Opened("other", "a processor", shared(bench)))
    assert bench.machines == ["a processor"]
    for change in ({"torch": "1.0"}, {"clips": "0"}, {"sources": "0"}, {"a-plugin": "2"}):
        (key,) = change
        with pytest.raises(UserError, match=f"other: a worker would measure something else .{key}: ") as caught:
            spread._welcome(Opened("other", "a processor", shared(bench) | change))
        assert str(caught.value).count(" there, ") == 1


def test_node_check_compares_clips_and_files_of_methods(tmp_path: Path) -> None:
    vspw(tmp_path / "a"), vspw(tmp_path / "b", clips=("a", "b"))
    one, other = (shared(Bench(spec(tmp_path / name))) for name in "ab")
    assert {key for key in one if one[key] != other[key]} == {"clips"}

    model = tmp_path / "model"
    model.mkdir()
    for name in ("config.json", "model.safetensors", "pytorch_model.bin", "README.md", "mapping.yaml"):
        (model / name).write_text(name)
    mapping, checkpoint = model / "mapping.yaml", tmp_path / "weights.pth"
    checkpoint.write_text("1")
    run = spec(vspw(tmp_path / "c"), checkpoint={"hold": str(checkpoint), "oracle": {"hr": "not there"}})
    methods = [f'hold(of=huggingface(model="{model}",mapping="{mapping}"))', "mpvss(backbone=none)"]
    known = shared(Bench(run.model_copy(update={"methods": methods})))
    inside = [model / name for name in ("config.json", "model.safetensors", "pytorch_model.bin")]
    assert {name for name in known if name.startswith(str(tmp_path))} == {
        str(file) for file in [*inside, mapping, checkpoint]
    }
