"""The kits find one planted fault per case, each by the check that names it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from vssbench import Frame, Prediction
from vssbench.metrics.accuracy.clip_states import Totals
from vssbench.testing import CheckFailed, check_dataset, check_method, check_metric, random_clip
from vssbench.testing.made_clips import plain_space

# Methods


class Good:
    """Class by brightness, smoothed over the clip: its state matters, and reset clears it."""

    name, lookahead, classes = "good", 0, 4
    needs: frozenset[str] = frozenset()

    def reset(self) -> None:
        self.mean: Any = None

    def prepare(self, frame: Frame) -> Any:
        return frame.image.mean(axis=2)

    def step(self, x: Any) -> Any:
        self.mean = x if self.mean is None else (self.mean + x) / 2
        return self.mean

    def decode(self, y: Any) -> Prediction:
        return Prediction((y // 64).astype(np.uint8), "key")


class Ahead(Good):
    """Looks `reach` frames ahead in the prepared frames."""

    reach = 2
    lookahead = 2

    def reset(self) -> None:
        self.seen: list[Any] = []
        self.now = -1

    def prepare(self, frame: Frame) -> Any:
        self.seen.append(super().prepare(frame))
        return self.seen[-1]

    def step(self, x: Any) -> Any:
        self.now += 1
        return np.mean(self.seen[self.now : self.now + self.reach + 1], axis=0)


@pytest.mark.parametrize("method", [Good, Good(), "instance maker", Ahead, Ahead()])
@pytest.mark.parametrize("frames", [None, "one clip", "two clips", "read-only"])
def test_correct_methods_pass(method: Any, frames: Any) -> None:
    if frames is not None:
        clips = 2 if frames == "two clips" else 1
        frames, kind = [f for n in range(clips) for f in random_clip(f"{n}", seed=n, size=(20, 30))], frames
        for frame in frames:
            frame.image.flags.writeable = kind != "read-only"
    report = check_method((lambda: Good()) if method == "instance maker" else method, frames)  # noqa: PLW0108
    assert {"reset forgets", "causality", "same input, same output"} <= set(report.passed)
    assert report.subject == "good"


class Leaks(Good):
    def __init__(self) -> None:
        self.mean = None

    def reset(self) -> None: ...


class LeaksItsCounter(Good):
    """Takes key frames by its own counter, which continues from clip to clip."""

    def __init__(self) -> None:
        self.count = -1

    def step(self, x: Any) -> Any:
        self.count += 1
        return super().step(x)

    def decode(self, y: Any) -> Prediction:
        return replace(super().decode(y), kind="key" if self.count % 3 == 0 else "nonkey")


class LeaksThroughItsClass(Good):
    before: Any = None

    def step(self, x: Any) -> Any:
        last, LeaksThroughItsClass.before = LeaksThroughItsClass.before, x
        return x if last is None or last.shape != x.shape else (x + last) / 2


class LeaksWhatWasPrepared(Good):
    """Clears the network's state at reset, but not the queue that prepare fills: seen when a clip is broken off."""

    def __init__(self) -> None:
        self.queue: list[Any] = []

    def prepare(self, frame: Frame) -> Any:
        self.queue.append(super().prepare(frame))
        return frame.index

    def step(self, x: Any) -> Any:
        y = self.queue[0] if len(self.queue[0]) == len(self.queue[-1]) else self.queue[-1]
        if len(self.queue) > 2:
            self.queue.pop(0)
        return y


class Looks3Ahead(Ahead):
    reach = 3


class Undeclared(Ahead):
    lookahead = 0
    reach = 1


class ReadsLabels(Good):
    """Uses labels without declaring it: the kit hides them, and the method fails."""

    def prepare(self, frame: Frame) -> Any:
        return frame.labels.astype(float)  # type: ignore[union-attr]


class Dice(Good):
    def decode(self, y: Any) -> Prediction:
        return Prediction(np.random.default_rng().integers(0, 4, y.shape, dtype=np.uint8), "key")


class Writes(Good):
    def prepare(self, frame: Frame) -> Any:
        mean = super().prepare(frame)
        frame.image[0, 0] = 0
        return mean


class WritesMotion(Good):
    needs = frozenset({"motion"})

    def prepare(self, frame: Frame) -> Any:
        if "motion" in frame.side:
            frame.side["motion"][...] *= -1
        return super().prepare(frame)


class OneBuffer(Good):
    def decode(self, y: Any) -> Prediction:
        if getattr(self, "buffer", np.empty(0)).shape != y.shape:
            self.buffer = np.empty(y.shape, np.uint8)
        self.buffer[...] = y // 64
        return Prediction(self.buffer, "key")


class HandsOutItsMemory(Good):
    """Returns a key frame's labels and repeats them from the same array."""

    def decode(self, y: Any) -> Prediction:
        if not hasattr(self, "held") or self.held.shape != y.shape or not self.age:
            self.held = (y // 64).astype(np.uint8)
        return Prediction(self.held, "nonkey" if self.age else "key", self.age)

    def reset(self) -> None:
        super().reset()
        self.age = -1

    def step(self, x: Any) -> Any:
        self.age = (self.age + 1) % 3
        return x


def says(**changes: Any) -> type[Good]:
    """Return a method whose predictions are changed."""

    class Says(Good):
        def decode(self, y: Any) -> Prediction:
            made = super().decode(y)
            values = {key: change(made) if callable(change) else change for key, change in changes.items()}
            return replace(made, **values)

    return Says


class NoPrediction(Good):
    def decode(self, y: Any) -> Any:
        return super().decode(y).labels


class Breaks(Good):
    def step(self, x: Any) -> Any:
        raise ZeroDivisionError("no pixels")


@pytest.mark.parametrize(
    ("method", "finding"),
    [
        (Leaks, "reset forgets: after 6 frames of another clip"),
        (LeaksItsCounter(), "reset forgets"),
        (LeaksItsCounter, "reset(): frame 0 is key of age 0, then nonkey of age 0"),
        (LeaksThroughItsClass, "reset forgets"),
        (LeaksWhatWasPrepared, "reset forgets"),
        (Looks3Ahead, "of the labels of frame 0 differ when frames from 3 on do (lookahead=2)"),
        (Undeclared, "causality: "),
        (ReadsLabels, "predictions: AttributeError"),
        (Dice, "same input, same output: clip 'clip0' run twice"),
        (Dice(), "same input, same output"),
        (Writes, "inputs are left alone: the frame's arrays were written to (frames [0"),
        (WritesMotion, "inputs are left alone"),
        (OneBuffer, "outputs are the caller's: a returned prediction was overwritten later"),
        (HandsOutItsMemory, "outputs are the caller's: writing into a returned prediction"),
        (says(labels=lambda p: p.labels.astype(np.int64)), "labels are int64, expected uint8"),
        (says(labels=lambda p: p.labels[::2]), "labels are [24, 64] for a frame of [48, 64]"),
        (says(labels=lambda p: p.labels[None]), "labels are [1, 48, 64]"),
        (says(labels=lambda p: p.labels.tolist()), "labels are list, expected a NumPy array"),
        (says(labels=lambda p: p.labels + np.uint8(1)), "class 4 is predicted, expected train ids 0 to 3"),
        (says(kind="Key"), "kind is 'Key'"),
        (says(age=-1), "age is -1"),
        (says(age=1.0), "age is 1.0"),
        (says(age=True), "age is True"),
        (says(age=2), "a key frame's age is 2"),
        (says(age=3, kind="nonkey"), "frame 0 has age 3: its key frame lies before the clip"),
        (NoPrediction, "decode returned ndarray, expected vssbench.Prediction"),
        (Breaks, "predictions: ZeroDivisionError at test_testing.py"),
    ],
)  # fmt: skip
def test_each_planted_fault_in_a_method_is_found(method: Any, finding: str) -> None:
    LeaksThroughItsClass.before = None
    with pytest.raises(CheckFailed) as caught:
        check_method(method)
    assert finding in str(caught.value), caught.value


@pytest.mark.parametrize(
    ("attributes", "finding"),
    [
        ({"name": "a b"}, "attributes: UserError"),
        ({"needs": {"motion"}}, "needs is {'motion'}, expected a frozenset"),
        ({"needs": frozenset({"depth"})}, "needs 'depth', which no frame carries"),
        ({"lookahead": -1}, "lookahead is -1"),
        ({"lookahead": None}, "lookahead is None"),
        ({"weights": "packaged"}, "weights is 'packaged'"),
    ],
)  # fmt: skip
def test_each_planted_fault_in_an_attribute_is_found(attributes: dict[str, Any], finding: str) -> None:
    with pytest.raises(CheckFailed) as caught:
        check_method(type("Odd", (Good,), attributes))
    assert finding in str(caught.value)


def test_looking_ahead_through_a_shared_list_is_found() -> None:
    """The method holds the very frames that it is tested with."""
    frames = random_clip(size=(20, 30))
    kept = [frame.image.copy() for frame in frames]

    class Peeks(Good):
        def prepare(self, frame: Frame) -> Any:
            return frames[min(frame.index + 1, len(frames) - 1)].image.mean(axis=2)

    with pytest.raises(CheckFailed, match=r"causality: .* of the labels of frame 0 differ when frames from 1 on do"):
        check_method(Peeks, frames)
    assert all(np.array_equal(frame.image, image) for frame, image in zip(frames, kept, strict=True))


def test_all_findings_are_listed() -> None:
    class Worst(Writes, Dice): ...

    with pytest.raises(CheckFailed) as caught:
        check_method(Worst)
    assert len(caught.value.failures) >= 3
    assert isinstance(caught.value, AssertionError)


# Metrics


class Right:
    """Share of labelled pixels that are right."""

    name, higher_is_better = "right", True

    def __init__(self, space: Any, specs: Any):
        self.hits = self.pixels = 0

    def update(self, frame: Frame, prediction: Prediction) -> None:
        if frame.labels is not None:
            known = frame.labels != 255
            self.hits += int((frame.labels == prediction.labels)[known].sum())
            self.pixels += int(known.sum())

    def merge(self, other: Any) -> None:
        self.hits, self.pixels = self.hits + other.hits, self.pixels + other.pixels

    def state(self) -> Any:
        return {"hits": self.hits, "pixels": self.pixels}

    def load(self, state: Any) -> None:
        self.hits, self.pixels = state["hits"], state["pixels"]

    def compute(self) -> dict[str, float | None]:
        return {"right": 100 * self.hits / self.pixels if self.pixels else None}


class Reads(Right):
    """Offers its totals too."""

    @classmethod
    def totals(cls, spec: Any, clips: Any) -> Any:
        states = {record.clip: record.states[cls.name] for record in clips.all}
        columns = [[state["hits"], state["pixels"]] for state in states.values()]
        return Totals(tuple(states), np.array(columns, np.float64).reshape(-1, 2), cls.read)

    @staticmethod
    def read(sums: Any) -> Any:
        with np.errstate(invalid="ignore"):
            return 100 * sums[..., 0] / sums[..., 1]


class ReadsFraction(Reads):
    @staticmethod
    def read(sums: Any) -> Any:
        return Reads.read(sums) / 100


class ReadsOne(Reads):
    @staticmethod
    def read(sums: Any) -> Any:
        return Reads.read(np.reshape(sums, (-1, 2))[0])


class ReadsShares(Reads):
    """The mean of the clips' own figures, which is a different figure."""

    @classmethod
    def totals(cls, spec: Any, clips: Any) -> Any:
        found = super().totals(spec, clips)
        return replace(found, columns=found.columns / found.columns[:, 1:])


class ReadsRanks(Reads):
    """A clip's row depends on the other clips."""

    @classmethod
    def totals(cls, spec: Any, clips: Any) -> Any:
        found = super().totals(spec, clips)
        return replace(found, columns=found.columns * len(found.clips))


class ReadsNothing(Reads):
    @classmethod
    def totals(cls, spec: Any, clips: Any) -> Any:
        return "no reason"


class NoDirection(Right):
    """Sets its direction in the constructor, which is too late for a table."""

    higher_is_better = None  # type: ignore[assignment]

    def __init__(self, space: Any, specs: Any):
        super().__init__(space, specs)
        self.higher_is_better = True


class MeanOfMeans(Right):
    """Merging averages the earlier totals with the new ones: the order matters."""

    def merge(self, other: Any) -> None:
        if self.pixels:
            self.hits, self.pixels = (
                (self.hits * other.pixels + other.hits * self.pixels) // 2,
                self.pixels * other.pixels,
            )
        else:
            super().merge(other)


class FloatState(Right):
    def state(self) -> Any:
        return {"hits": float(self.hits), "pixels": self.pixels}


class TupleState(Right):
    def state(self) -> Any:
        return self.hits, self.pixels

    def load(self, state: Any) -> None:
        self.hits, self.pixels = state


class NumpyState(Right):
    def state(self) -> Any:
        return {"hits": np.int64(self.hits), "pixels": self.pixels}


class LoadAdds(Right):
    def load(self, state: Any) -> None:
        self.hits, self.pixels = self.hits + state["hits"], self.pixels + state["pixels"]


class LoadForgets(Right):
    def load(self, state: Any) -> None:
        self.hits, self.pixels = state["hits"], 0


class MergeDrains(Right):
    def merge(self, other: Any) -> None:
        super().merge(other)
        other.hits = other.pixels = 0


class EmptyCounts(Right):
    def merge(self, other: Any) -> None:
        super().merge(other)
        self.pixels += 1


class KeepsArrays(Right):
    """Compares with the previous frame through the array it was given, which the caller reuses."""

    before: Any = None

    def update(self, frame: Frame, prediction: Prediction) -> None:
        if self.before is not None and self.before.shape == prediction.labels.shape:
            self.hits += int((self.before == prediction.labels).sum())
            self.pixels += prediction.labels.size
        self.before = prediction.labels


class ComputeClears(Right):
    def compute(self) -> dict[str, float | None]:
        values = super().compute()
        self.hits = self.pixels = 0
        return values


class NeedsLabels(Right):
    def update(self, frame: Frame, prediction: Prediction) -> None:
        self.hits += int((frame.labels == prediction.labels).sum())
        self.pixels += frame.labels.size  # type: ignore[union-attr]


class NaN(Right):
    def compute(self) -> dict[str, float | None]:
        return {"right": super().compute()["right"] or float("nan")}


class Misnamed(Right):
    def compute(self) -> dict[str, float | None]:
        return {"Right": super().compute()["right"]}


class Scribbles(Right):
    def update(self, frame: Frame, prediction: Prediction) -> None:
        super().update(frame, prediction)
        prediction.labels[0, 0] ^= 1


@pytest.mark.parametrize("space", [None, plain_space(19), plain_space(124)])
def test_correct_metrics_pass(space: Any) -> None:
    assert "merge" in check_metric(Right, space).passed
    assert "totals" in check_metric(Reads, space).passed


@pytest.mark.parametrize(
    ("metric", "finding"),
    [
        (NoDirection, "attributes: higher_is_better of the class is None"),
        (MeanOfMeans, "merge: a different order of merging gives different numbers"),
        (FloatState, "state: state.hits is a float"),
        (TupleState, "state: the state changes on its way through JSON"),
        (NumpyState, "state: TypeError"),
        (LoadAdds, "state: load() does not replace"),
        (LoadForgets, "state: load() of a saved state does not restore"),
        (MergeDrains, "merge: merge changes the metric that is merged in"),
        (EmptyCounts, "merge: an empty one adds something"),
        (KeepsArrays, "streaming equals batch: 5 frames, streamed, leave a different state"),
        (ComputeClears, "streaming equals batch"),
        (NeedsLabels, "update: AttributeError"),
        (NaN, "nothing seen: {'right': nan}"),
        (Misnamed, "compute returns ['Right'], not ['right']"),
        (Scribbles, "inputs are left alone: update wrote into frame 0"),
        (ReadsFraction, "totals: right of clip0, clip1, clip2, clip3: the totals make 0."),
        (ReadsOne, "read() of several sums at once"),
        (ReadsShares, "a column that is not a whole number"),
        (ReadsRanks, "right: the numbers of clip1 depend on the other clips"),
        (ReadsNothing, "no totals (no reason), but compute returns"),
    ],
)  # fmt: skip
def test_each_planted_fault_in_a_metric_is_found(metric: Any, finding: str) -> None:
    with pytest.raises(CheckFailed) as caught:
        check_metric(metric)
    assert finding in str(caught.value), caught.value


@pytest.mark.parametrize(
    "metric", ["mIoU", "mIoU,WIoU,pixel_accuracy,class_accuracy", "VC@2,VC@8,VCC@3", "mIoU(protocol=mmseg)"]
)
def test_metrics_of_the_package_pass(metric: str) -> None:
    assert "totals" in check_metric(metric).passed


# Datasets


class Clips:
    """Two random clips, every other frame labelled."""

    name = "clips"
    space = plain_space(4)

    def clips(self) -> list[str]:
        return ["a", "b"]

    def stems(self, clip: str) -> list[str]:
        return [frame.stem for frame in self.frames(clip)]

    def frames(self, clip: str) -> Iterator[Frame]:
        for frame in random_clip(clip, length=4, size=(8, 10), seed=ord(clip[0])):
            yield frame if frame.index % 2 == 0 else replace(frame, labels=None)

    def labels(self, clip: str) -> Iterator[Any]:
        for frame in self.frames(clip):
            yield frame.stem, frame.labels


def dataset(**changes: Any) -> Any:
    """Return the dataset with methods replaced; frame and truth change what `frames` (and so `labels`) returns."""
    frame, truth = changes.pop("frame", None), changes.pop("truth", None)
    if truth is not None:
        frame = lambda made: made if made.labels is None else replace(made, labels=truth(made.labels))  # noqa: E731
    if frame is not None:
        changes["frames"] = lambda self, clip: (frame(made) for made in Clips.frames(self, clip))
    return type("Odd", (Clips,), changes)()


def _reading(self: Any, clip: str) -> Iterator[Frame]:
    """Different noise at every reading."""
    self.count = getattr(self, "count", 0) + 1
    return iter(random_clip(clip, length=4, size=(8, 10), seed=self.count))


def _shared(self: Any, clip: str) -> Iterator[Frame]:
    """One position for all readers."""
    if not hasattr(self, "reader"):
        self.reader = Clips.frames(self, clip)
    return self.reader


def test_correct_dataset_passes() -> None:
    assert check_dataset(Clips()).passed == (
        *("attributes", "label space", "clip names", "clip 'a'", "clip 'b'", "hooks"),
    )
    assert "clip 'b'" not in check_dataset(Clips(), limit=1).passed


ODD_SPACE = replace(plain_space(4), to_file=np.array([0, 1, 3, 2], np.uint8))


@pytest.mark.parametrize(
    ("odd", "finding"),
    [
        (dataset(clips=lambda self: ["b", "a"]), "clip names: they are not sorted"),
        (dataset(clips=lambda self: ["a", "a"]), "clip names: some occur twice"),
        (dataset(clips=lambda self: []), "clip names: there are none"),
        (dataset(clips=lambda self: ["../a"]), "cannot be folder names: ['../a']"),
        (dataset(stems=lambda self, clip: ["000000"] * 4), "some stems occur twice"),
        (dataset(stems=lambda self, clip: ["x", "y", "z", "w"]), "its stem should be 'x'"),
        (dataset(stems=lambda self, clip: Clips.stems(self, clip)[:3]), "its stem should be None"),
        (dataset(stems=lambda self, clip: [*Clips.stems(self, clip), "more"]), "4 frames, stems() names 5"),
        (dataset(frame=lambda f: replace(f, index=f.index + 1)), "index 1"),
        (dataset(frame=lambda f: replace(f, clip="A")), "is clip 'A'"),
        (dataset(frame=lambda f: replace(f, image=f.image / 255)), "image of float64[8, 10, 3]"),
        (dataset(frame=lambda f: replace(f, image=f.image[..., :1])), "image of uint8[8, 10, 1]"),
        (dataset(frame=lambda f: replace(f, image=f.image[f.index // 3 :])), "is [7, 10, 3], the first frame ["),
        (dataset(truth=lambda labels: labels.astype(int)), "labels of int64"),
        (dataset(truth=lambda labels: labels[1:]), "labels of uint8[7, 10]"),
        (dataset(truth=lambda labels: labels | 8), "has train ids [8"),
        (dataset(labels=lambda self, clip: ((f.stem, None) for f in self.frames(clip))), "labels() returns"),
        (dataset(labels=lambda self, clip: iter(())), "ValueError"),
        (dataset(frames=_reading), "differs when it is read again"),
        (dataset(frames=_shared), "clip 'a'"),
        (dataset(space=ODD_SPACE), "to_file, read back, is [0, 1, 3, 2]"),
        (dataset(space=replace(plain_space(4), colours=np.zeros((3, 3), np.uint8))), "colours is uint8[3, 3]"),
        (dataset(space="vspw"), "space is str"),
    ],
)  # fmt: skip
def test_each_planted_fault_in_a_dataset_is_found(odd: Any, finding: str) -> None:
    with pytest.raises(CheckFailed) as caught:
        check_dataset(odd)
    assert finding in str(caught.value), caught.value
