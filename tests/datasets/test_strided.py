"""A lower frame rate: which frames are kept, with which numbers and which labels."""

from __future__ import annotations

import json
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.helpers.command import vssbench
from tests.helpers.described import describe, write_tree
from vssbench.bench.session import Bench
from vssbench.bench.spec import load_spec
from vssbench.datasets.export import export
from vssbench.datasets.strided import Strided
from vssbench.errors import UserError
from vssbench.load import load_dataset
from vssbench.specs import parse
from vssbench.testing import check_dataset
from vssbench.types import Frame, LabelSpace


class Sparse:
    """A clip of `length` frames, labelled at `labelled`; a plug-in without hooks."""

    name, space = "sparse", LabelSpace.plain("two", ["a", "b"])

    def __init__(self, length: int, labelled: set[int]):
        self.length, self.labelled_frames = length, labelled

    def clips(self) -> list[str]:
        return ["only"]

    def stems(self, clip: str) -> list[str]:
        return [f"frame{index}" for index in range(self.length)]

    def frames(self, clip: str) -> Any:
        for index, (stem, labels) in enumerate(self.labels(clip)):
            yield Frame(clip, index, np.full((2, 2, 3), index, np.uint8), labels, {"flow": np.zeros(1)}, stem)

    def labels(self, clip: str) -> Any:
        for index, stem in enumerate(self.stems(clip)):
            yield stem, np.zeros((2, 2), np.uint8) if index in self.labelled_frames else None


@given(st.integers(1, 40), st.integers(1, 9), st.sets(st.integers(0, 39)))
@settings(deadline=None)
def test_every_nth_frame_is_kept_at_the_phase_with_most_labels(length: int, by: int, labelled: set[int]) -> None:
    labelled = {index for index in labelled if index < length}
    dataset = Strided(None, of="any", by=by, load=lambda _: Sparse(length, labelled))
    frames = list(dataset.frames("only"))
    phase = dataset.kept("only").phase
    assert [int(frame.image[0, 0, 0]) for frame in frames] == list(range(phase, length, by))
    assert [frame.index for frame in frames] == list(range(len(frames)))
    kept = {index for index in labelled if index % by == phase}
    assert {int(frame.image[0, 0, 0]) for frame in frames if frame.labels is not None} == kept
    assert all(len({index for index in labelled if index % by == other}) <= len(kept) for other in range(by))
    if len(labelled) in (0, length):
        assert phase == 0
    check_dataset(dataset)


def test_cityscapes_keeps_its_labelled_frame(tmp_path: Path, arrays: Any) -> None:
    export(arrays(length=30), "cityscapes", tmp_path)
    for by, place in ((1, 19), (2, 9), (4, 4), (7, 2)):
        dataset: Any = load_dataset(f"strided(of=cityscapes,by={by})", tmp_path)
        for clip in dataset.clips():
            assert dataset.labelled(clip) == [place]
            assert dataset.stems(clip)[place].endswith("_000019")
        note = dataset.note(dataset.clips())
        said = f"one frame in {by}: 2 of 2 clips begin at frame {19 % by}, so that more labelled frames are kept"
        assert note == (None if by == 1 else said)


def test_frame_indices_skip_missing_frames(tmp_path: Path) -> None:
    write_tree(tmp_path, {"a": 12}, masks=None)
    for index in (3, 4, 5):
        (tmp_path / "frames/a" / f"{index:05d}.png").unlink()
    file = describe(tmp_path / "d.yaml", labels=None, fps=30)
    dataset: Any = load_dataset(f"strided(of={file},by=2)")
    assert [(frame.stem, frame.index) for frame in dataset.frames("a")] == [
        ("00000", 0), ("00002", 1), ("00006", 3), ("00008", 4), ("00010", 5),
    ]  # fmt: skip
    assert dataset.lacking("a", dataset.stems("a")) == ["between 00002 and 00006"]
    assert dataset.frame("a", 2).index == 3
    assert dataset.rate("a") == Fraction(15)
    assert load_dataset(f"strided(of=strided(of={file},by=2),by=3)").rate("a") == 5  # type: ignore[attr-defined]


def test_sweep_over_frame_rates_scores_each_rate_and_resumes(tmp_path: Path) -> None:
    """hold(of=oracle) on moving stripes: the larger the frame distance, the worse; every rate has its own digest."""
    write_tree(tmp_path, {"a": 12, "b": 12})
    file = describe(tmp_path / "my_video.yaml")
    words = ("run", "--methods", "hold(of=oracle,key_interval=2)", "--dataset", f"strided(of={file})", "--no-latency")
    done = vssbench(*words, "--sweep", "by=1,2,3", "--json", "--output", tmp_path / "out")
    assert done.status == 0, done.stderr
    told = json.loads(done.stdout)["datasets"]
    assert list(told) == [f"strided(by={by},of=folder(file={file}))" for by in (1, 2, 3)]
    entries = [next(iter(one["methods"].values())) for one in told.values()]
    assert [entry["dataset"]["frames"] for entry in entries] == [24, 12, 8]
    scores = [entry["metrics"]["mIoU"] for entry in entries]
    assert scores == sorted(scores, reverse=True)
    assert len({entry["dataset"]["fingerprint"] for entry in entries}) == 3
    assert "## strided(by=2,of=mine) val" in (tmp_path / "out/leaderboard.md").read_text()
    again = vssbench(*words, "--sweep", "by=1,2,3", "--json", "--output", tmp_path / "out", "--resume")
    for name, one in json.loads(again.stdout)["datasets"].items():
        (before,), (after,) = told[name]["methods"].values(), one["methods"].values()
        assert (before["metrics"], before["dataset"]) == (after["metrics"], after["dataset"])


def test_protocol_is_that_of_the_inner_dataset(tmp_path: Path, arrays: Any) -> None:
    export(arrays(length=4), "vspw", tmp_path)
    words = ("run", "--dataset", "strided(of=vspw)", "--data-root", tmp_path, "--methods", "oracle", "--no-latency")
    done = vssbench(*words, "--json", "--output", tmp_path / "out")
    assert json.loads(done.stdout)["methods"]["oracle"]["protocol"] == "vspw"


def test_codec_is_that_of_the_inner_dataset(tmp_path: Path, arrays: Any) -> None:
    """Cityscapes' 5 Mbit/s at 17 frames per second, not CamVid's 3 at 30, which other datasets take."""
    export(arrays(length=20), "cityscapes", tmp_path)
    for dataset in ("cityscapes", "strided(of=cityscapes,by=2)", "strided(of=strided(of=cityscapes,by=2),by=2)"):
        told = {"methods": ["oracle"], "dataset": dataset, "data_root": str(tmp_path), "codec": "h264"}
        bench = Bench(load_spec(None, told))
        codec = bench.codec(bench.load(parse("oracle")))
        assert codec is not None
        assert (codec.codec.bit_rate, codec.codec.fps) == (5_000_000, 17)


def test_codec_uses_the_stated_frame_rate(tmp_path: Path) -> None:
    """Otherwise it would be CamVid's 30 frames per second: fewer frames share the same bits per second."""
    write_tree(tmp_path, {"a": 9})
    for fps, dataset, expected in ((None, "{}", 30), (24, "{}", 24), (24, "strided(of={},by=3)", 8)):
        file = describe(tmp_path / "d.yaml", fps=fps)
        spec = load_spec(None, {"methods": ["oracle"], "dataset": dataset.format(file), "codec": "h264"})
        bench = Bench(spec)
        codec = bench.codec(bench.load(parse("oracle")))
        assert codec is not None
        assert codec.codec.fps == expected


def test_invalid_strided_arguments_are_errors() -> None:
    with pytest.raises(UserError, match="by=0 is not valid"):
        load_dataset("strided(of=synthetic,by=0)")
    with pytest.raises(UserError, match="needs the argument 'of'"):
        load_dataset("strided(by=2)")
