"""Streaming one clip from a camera, by methods with given latencies."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from vssbench import load_method
from vssbench.bench.clip import run_clip
from vssbench.bench.streaming.clip import run_stream
from vssbench.datasets.synthetic.dataset import Synthetic
from vssbench.errors import UserError
from vssbench.metrics.plan import plan
from vssbench.results.streaming import Camera, StreamRecord
from vssbench.types import Frame, LabelSpace, Prediction

DATA = Synthetic(None, "val", clips=1, frames=12, height=32, width=48, motion="fast")
CLIP = DATA.clips()[0]
FRAMES = list(DATA.frames(CLIP))
HOLD = "hold(key_interval=3,of=oracle)"


def camera(fps: float = 10, take: Any = "newest", **milliseconds: float) -> Camera:
    return Camera(fps, take, tuple((kind, round(1e3 * spent)) for kind, spent in milliseconds.items()))


def stream(method: Any, one: Camera, frames: list[Frame] = FRAMES, space: LabelSpace = DATA.space) -> StreamRecord:
    loaded = load_method(method) if isinstance(method, str) else method
    return run_stream(loaded, CLIP, lambda: frames, space, space.classes, one)


@pytest.mark.parametrize("take", ["newest", "every"])
def test_stream_without_delay_equals_the_plain_run(take: str) -> None:
    found = stream(HOLD, camera(take=take, key=0, nonkey=0))
    plain = run_clip(load_method(HOLD), CLIP, FRAMES, plan(["mIoU"], DATA.space), DATA.space.classes)
    (state,), (expected,) = found.states["confusion"], plain.states["confusion"]
    everything = {}
    for places, counts in expected["counts"].values():  # a stream keeps no distances to key frames
        for place, count in zip(places, counts, strict=True):
            everything[place] = everything.get(place, 0) + count
    assert dict(zip(*state["counts"]["0"], strict=True)) == everything
    assert (found.taken, found.before_first, found.ages) == (12, 0, {"0": 12})
    assert found.kinds == plain.kinds


def test_key_interval_counts_only_the_frames_taken() -> None:
    """A key frame takes three periods, so every third frame is taken, and every third of those is a key frame."""
    found = stream(HOLD, camera(key=300, nonkey=300))
    assert found.kinds == {"key": 2, "nonkey": 2}
    assert found.before_first == 3
    assert found.ages == {"300000": 3, "400000": 3, "500000": 3}


def test_taking_every_frame_drops_none_and_falls_behind() -> None:
    found = stream(HOLD, camera(take="every", key=200, nonkey=200))
    # frame i is finished at 0.2 (i + 1) s: at arrival j, frame j // 2 - 1 is shown
    assert found.before_first == 2
    assert found.ages == {"200000": 1, "300000": 2, "400000": 2, "500000": 2, "600000": 2, "700000": 1}
    assert found.taken == 6


def test_still_video_has_no_errors_at_any_rate_once_a_prediction_is_shown() -> None:
    still = [Frame(CLIP, index, FRAMES[0].image, FRAMES[0].labels, stem=f"{index:03d}") for index in range(12)]
    slow, fast = (stream("oracle", camera(fps, key=30), still) for fps in (10, 100))
    assert slow.before_first < fast.before_first
    for record in (slow, fast):
        (state,) = record.states["confusion"]
        places = np.array(state["counts"]["0"][0])
        assert set(places // 256) - {DATA.space.classes} == set((places % 256)[places // 256 < DATA.space.classes])


class Unknown:
    name, needs, lookahead = "unknown", frozenset[str](), 0

    def reset(self) -> None: ...
    def prepare(self, frame: Frame) -> Frame:
        return frame

    def step(self, frame: Frame) -> Frame:
        return frame

    def decode(self, frame: Frame) -> Prediction:
        return Prediction(np.zeros(frame.image.shape[:2], np.uint8), "warmup")


def test_error_names_the_frame_kind_without_a_latency() -> None:
    with pytest.raises(UserError, match=r"how long a warmup frame takes is not known") as caught:
        stream(Unknown(), camera(key=1, nonkey=1))
    assert "there are: key, nonkey" in str(caught.value)


def test_missing_frames_are_not_streamed() -> None:
    gap = [frame for frame in FRAMES if frame.index not in (4, 5)]
    found = stream("oracle", camera(key=50), gap)
    assert found.frames == 10
    assert found.ages == {"100000": 8, "300000": 1}
