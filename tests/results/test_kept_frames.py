"""The frames that a run keeps: small, and the same whatever the order, the workers and the interruptions."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.helpers.faults import Crash, FaultyOs
from vssbench.bench import clip as runner
from vssbench.bench import run as whole_run
from vssbench.bench.spec import LatencySpec, RunSpec, load_spec
from vssbench.datasets.synthetic.dataset import Synthetic
from vssbench.errors import UserError
from vssbench.files import atomic
from vssbench.progress import Progress
from vssbench.results import kept_frames
from vssbench.results.kept_frames import Draw, FrameFolder, KeptClip, KeptFrame, Watch, read_frames
from vssbench.specs import parse
from vssbench.types import IGNORE, Frame, LabelSpace, Prediction

SPACE = LabelSpace.plain("three", ["a", "b", "c"])
SMALL = "synthetic(clips=3,frames=20,height=32,width=48)"
METHODS = ["hold(key_interval=4,of=oracle)", "hold(key_interval=7,of=oracle)"]


def run(folder: Path, resume: bool = False, **changes: Any) -> dict[str, bytes]:
    """A run's kept frames: file -> bytes."""
    spec = RunSpec(**{"methods": METHODS, "dataset": SMALL, "latency": LatencySpec(enabled=False), **changes})
    whole_run.run(spec, [parse(method) for method in spec.methods], folder, resume, Progress())
    return kept_files(folder)


def kept_files(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.glob("*/frames/*"))}


def pictures(method: Path) -> dict[tuple[str, int], float]:
    """(clip, index) -> accuracy, for the frames that are kept with their image."""
    return {
        (kept.clip, frame.index): frame.accuracy
        for kept in read_frames(method)
        for frame in kept.frames
        if frame.image is not None
    }


def watched(frames: list[Frame], predictions: list[np.ndarray], drawn: int = 8, pictured: int = 1) -> KeptClip:
    watch = Watch("clip", SPACE, drawn, pictured)
    for frame, labels in zip(frames, predictions, strict=True):
        watch(frame, Prediction(labels, "key"))
    return watch.kept()


def frame(index: int, labels: np.ndarray | None) -> Frame:
    shape = (4, 6) if labels is None else labels.shape
    return Frame("clip", index, np.full((*shape, 3), 10 * index, np.uint8), labels, stem=f"{index:03}")


def made(clip: str, accuracies: list[float]) -> KeptClip:
    frames = [
        KeptFrame(
            index=index, stem=str(index), kind="key", age=0, accuracy=accuracy, prediction=b"p", image=b"i", labels=b"l"
        )
        for index, accuracy in enumerate(accuracies)
    ]
    return KeptClip(clip=clip, colours=b"", frames=frames)


def test_all_methods_keep_the_same_frames_and_images_of_their_own_worst(tmp_path: Path) -> None:
    run(tmp_path, keep_frames=2)
    folders = sorted(path.parent for path in tmp_path.glob("*/frames"))
    drawn = [[(kept.clip, one.index) for kept in read_frames(folder) for one in kept.frames] for folder in folders]
    assert len(folders) == 2
    assert drawn[0] == drawn[1]
    assert len(drawn[0]) == 3 * kept_frames.A_CLIP
    for folder in folders:
        worst_of_clips = sorted(min(one.accuracy for one in kept.frames) for kept in read_frames(folder))
        assert sorted(pictures(folder).values()) == worst_of_clips[:2]
        assert len({clip for clip, _ in pictures(folder)}) == 2


def test_kept_frames_do_not_depend_on_the_order_of_clips(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    wanted = run(tmp_path / "forwards")
    in_order = Synthetic.clips
    monkeypatch.setattr(Synthetic, "clips", lambda dataset: in_order(dataset)[::-1])
    assert run(tmp_path / "backwards") == wanted
    (first, *_) = (tmp_path / "backwards").glob("*/clips.jsonl")
    assert [json.loads(line)["clip"] for line in first.open()] == ["val_0002", "val_0001", "val_0000"]


def test_kept_frames_do_not_depend_on_workers_or_interruptions(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    wanted = run(tmp_path / "one")
    assert run(tmp_path / "two", workers=2, threads=1) == wanted
    whole, done = runner.run_clip, 0

    def interrupted(*args: Any) -> Any:
        nonlocal done
        done += 1
        if done == 5:
            raise KeyboardInterrupt
        return whole(*args)

    monkeypatch.setattr("vssbench.bench.session.run_clip", interrupted)
    with pytest.raises(KeyboardInterrupt):
        run(tmp_path / "resumed")
    assert kept_files(tmp_path / "resumed") != wanted
    assert run(tmp_path / "resumed", resume=True) == wanted


def test_limited_run_keeps_the_same_frames_per_clip(tmp_path: Path) -> None:
    run(tmp_path / "all")
    limited = run(tmp_path / "part", limit=1)
    for name in limited:
        whole, part = (json.loads((tmp_path / run_ / name).read_bytes()) for run_ in ("all", "part"))
        assert [one["index"] for one in whole["frames"]] == [one["index"] for one in part["frames"]]


def test_keeping_frames_does_not_change_the_clip_records(tmp_path: Path) -> None:
    def numbers(folder: Path) -> list[Any]:
        lines = [json.loads(line) for file in sorted(folder.glob("*/clips.jsonl")) for line in file.open()]
        return [{key: value for key, value in line.items() if key != "seconds"} for line in lines]

    assert run(tmp_path / "none", keep_frames=0) == {}
    run(tmp_path / "some")
    assert numbers(tmp_path / "none") == numbers(tmp_path / "some")


ACCURACIES = st.lists(st.sampled_from([1.0, 2.0, 3.0]), min_size=1, max_size=2)
CLIPS = st.dictionaries(st.text("abc", min_size=1, max_size=2), ACCURACIES, min_size=1, max_size=6)


@settings(max_examples=40)
@given(CLIPS, st.integers(1, 4), st.randoms(use_true_random=False), st.integers(0, 6))
def test_images_of_the_worst_frames_are_kept_whatever_the_clip_order(
    tmp_path_factory: pytest.TempPathFactory, clips: dict[str, list[float]], count: int, random: Any, stop: int
) -> None:
    first, second = tmp_path_factory.mktemp("first"), tmp_path_factory.mktemp("second")
    folder = FrameFolder(first, count)
    for clip, values in clips.items():
        folder.add(made(clip, values))
    order = list(clips)
    random.shuffle(order)
    folder = FrameFolder(second, count)
    for place, clip in enumerate(order):
        if place == stop:
            folder = FrameFolder(second, count)  # an interrupted run is resumed
        folder.add(made(clip, clips[clip]))
    ranked = sorted((value, clip, index) for clip, values in clips.items() for index, value in enumerate(values))
    assert set(pictures(first)) == {(clip, index) for _, clip, index in ranked[:count]}
    assert {path.name: path.read_bytes() for path in (first / kept_frames.FOLDER).iterdir()} == {
        path.name: path.read_bytes() for path in (second / kept_frames.FOLDER).iterdir()
    }


def test_kept_frames_survive_a_crash_at_any_write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    clips = {"a": [3.0], "b": [2.0], "c": [1.0], "d": [4.0]}

    def whole(folder: Path) -> dict[str, bytes]:
        folder.mkdir(exist_ok=True)
        frames = FrameFolder(folder, 2)
        for clip, values in clips.items():
            frames.add(made(clip, values))
        return {path.name: path.read_bytes() for path in (folder / kept_frames.FOLDER).glob("*.json")}

    counter = FaultyOs(0, Crash())
    monkeypatch.setattr(atomic, "os", counter)
    wanted = whole(tmp_path / "whole")
    assert counter.calls > 15
    for number in range(1, counter.calls + 1):
        monkeypatch.setattr(atomic, "os", FaultyOs(number, Crash()))
        with pytest.raises(Crash):
            whole(tmp_path / str(number))
        monkeypatch.setattr(atomic, "os", counter)
        assert whole(tmp_path / str(number)) == wanted


def test_frame_accuracy_is_the_share_of_correct_labelled_pixels() -> None:
    labels = np.array([[0, 1, 2, IGNORE], [0, 1, 2, IGNORE]], np.uint8)
    predicted = np.array([[0, 1, 1, 0], [0, 0, 0, 0]], np.uint8)
    (kept,) = watched([frame(0, labels)], [predicted]).frames
    assert kept.accuracy == pytest.approx(50)
    assert kept.image is not None
    assert kept.labels is not None
    for data, expected in ((kept.labels, labels), (kept.prediction, predicted)):
        assert (cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED) == expected).all()


def test_flicker_share_and_mask_are_kept_with_the_prediction() -> None:
    random = np.random.default_rng(0)
    image, labels = random.integers(0, 256, (40, 60, 3), np.uint8), np.zeros((40, 60), np.uint8)
    still = [Frame("clip", index, image, labels) for index in range(3)]
    guess = labels.copy()
    guess[10:20, 10:40] = 1
    first, second, third = watched(still, [labels, guess, guess]).frames
    assert (first.flicker, first.changed, third.flicker) == (None, None, 0)
    assert second.flicker == pytest.approx(100 * 300 / 2400, abs=1)
    assert second.changed is not None
    assert (np.array(cv2.imdecode(np.frombuffer(second.changed, np.uint8), -1) > 127) == (guess == 1)).mean() > 0.99


def test_frames_without_labelled_pixels_are_not_kept() -> None:
    empty = np.full((4, 6), IGNORE, np.uint8)
    some = np.zeros((4, 6), np.uint8)
    found = watched([frame(0, None), frame(1, empty), frame(2, some)], [some, some, some])
    assert [one.index for one in found.frames] == [2]


def test_kept_frames_are_correct_if_a_method_reuses_its_prediction_array() -> None:
    labels = np.zeros((4, 6), np.uint8)
    shared = np.zeros((4, 6), np.uint8)
    watch = Watch("clip", SPACE, 8, 1)
    for index in range(3):
        shared[:] = index
        watch(frame(index, labels), Prediction(shared, "key"))
    assert [one.accuracy for one in watch.kept().frames] == [100, 0, 0]


def test_noise_frame_stays_within_the_byte_limits() -> None:
    random = np.random.default_rng(0)
    labels, predicted = random.integers(0, 3, (2, 480, 853), np.uint8)
    noise = Frame("clip", 0, random.integers(0, 256, (480, 853, 3), np.uint8), labels)
    (kept,) = watched([noise], [predicted]).frames
    assert kept.image is not None
    assert kept.labels is not None
    assert max(len(kept.prediction), len(kept.labels)) <= kept_frames.LABEL_BYTES
    assert len(kept.image) <= kept_frames.IMAGE_BYTES


@given(st.integers(1, 5000), st.integers(1, 100))
def test_number_of_kept_frames_is_bounded(clips: int, count: int) -> None:
    draw = Draw([f"clip {number}" for number in range(clips)], count)
    assert len(draw.clips) * draw.a_clip <= kept_frames.FRAMES
    assert len(draw.clips) == min(clips, kept_frames.FRAMES)
    assert 1 <= draw.pictures <= draw.a_clip


def test_damaged_kept_frames_file_is_one_error_message(tmp_path: Path) -> None:
    FrameFolder(tmp_path, 1).add(made("a", [1.0]))
    (path,) = (tmp_path / kept_frames.FOLDER).iterdir()
    path.write_bytes(path.read_bytes()[:20])
    with pytest.raises(UserError, match="frames that vssbench run keeps") as caught:
        read_frames(tmp_path)
    assert caught.value.where == path


def test_negative_keep_frames_is_refused() -> None:
    with pytest.raises(UserError, match="--keep-frames: Input should be greater than or equal to 0"):
        load_spec(None, {"keep_frames": -1})
