"""The kit checks what a method offers beyond its protocol: one planted fault per case."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from vssbench import Frame, Prediction, Weights
from vssbench.errors import UserError
from vssbench.hooks import DATASET
from vssbench.schedule import FixedInterval, OnChange
from vssbench.testing import CheckFailed, check_dataset, check_method, random_clip
from vssbench.types import Digests


class Net:
    """A network of four classes on every frame, with all that a method may offer."""

    name, lookahead, classes = "net", 0, 4
    needs: frozenset[str] = frozenset()
    weights = Weights("untrained")

    def __init__(self) -> None:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            self.network = nn.Conv2d(3, 4, 3, padding=1)

    def reset(self) -> None: ...

    def prepare(self, frame: Frame) -> Any:
        return torch.tensor(frame.image).permute(2, 0, 1)[None] / 255

    @torch.inference_mode()
    def step(self, x: Any) -> Any:
        return self.network(x)[0]

    def decode(self, y: Any) -> Prediction:
        return Prediction(y.argmax(0).numpy().astype(np.uint8), "key")

    def scores(self, y: Any) -> Any:
        return y.numpy()

    def cost_module(self, kind: str, size: tuple[int, int]) -> Any:
        if kind != "key":
            raise UserError(f"no {kind} frames")
        return self.network, (torch.zeros(1, 3, *size),)


class Average:
    """The plug-in's wrapper, without a constructor from a spec: passes on every frame, kind and age."""

    lookahead, needs, runs_inner = 0, frozenset[str](), "every"

    def __init__(self, inner: Any = None):
        self.inner = inner or Net()
        self.name, self.weights = "average", Weights("untrained")

    def reset(self) -> None:
        self.inner.reset()
        self.mean: Any = None

    def prepare(self, frame: Frame) -> Any:
        return self.inner.prepare(frame)

    def step(self, x: Any) -> Any:
        return self.inner.step(x)

    def decode(self, y: Any) -> Prediction:
        said = self.inner.decode(y)
        self.mean = y.numpy() if self.mean is None else (self.mean + y.numpy()) / 2
        return Prediction(self.mean.argmax(0).astype(np.uint8), said.kind, said.age)


class Hold:
    """Takes key frames by its own counter; `schedule` is what it declares, not what it does."""

    lookahead, needs, runs_inner, interval = 0, frozenset[str](), "key", 3

    def __init__(self) -> None:
        self.inner, self.schedule = Net(), FixedInterval(3)
        self.name, self.weights = "hold", Weights("untrained")

    def reset(self) -> None:
        self.inner.reset()
        self.held: Any = None

    def prepare(self, frame: Frame) -> Any:
        return frame.index, self.inner.prepare(frame) if frame.index % self.interval == 0 else None

    def step(self, x: Any) -> Any:
        return x[0], None if x[1] is None else self.inner.step(x[1])

    def decode(self, y: Any) -> Prediction:
        if y[1] is not None:
            self.held = self.inner.decode(y[1])
            return Prediction(self.held.labels.copy(), "key")
        return Prediction(self.held.labels.copy(), "nonkey", y[0] % self.interval)


@pytest.mark.parametrize("method", [Net, Average, Hold, lambda: Average(Hold2())])
def test_correct_method_hooks_pass(method: Any) -> None:
    assert "hooks" in check_method(method).passed


class Hold2(Hold):
    """Hold with the scores of its key frame, so that they can be averaged."""

    def step(self, x: Any) -> Any:
        self.last = self.inner.step(x[1]) if x[1] is not None else self.last
        return _Both(self.last, x)

    def decode(self, y: Any) -> Prediction:
        return super().decode((y.x[0], None if y.x[1] is None else y.y))


class _Both:
    def __init__(self, y: Any, x: Any):
        self.y, self.x = y, x

    def numpy(self) -> Any:
        return self.y.numpy()


def raising(*_: Any) -> Any:
    raise RuntimeError("odd")


def counts(**found: Any) -> Any:
    return lambda self: found


class Fresh(Net):
    """Different weights each time."""

    def __init__(self) -> None:
        self.network = nn.Conv2d(3, 4, 3, padding=1)


class Scripted(Net):
    def cost_module(self, kind: str, size: tuple[int, int]) -> Any:
        _, inputs = super().cost_module(kind, size)
        return torch.jit.script(self.network), inputs


class AllKinds(Net):
    def cost_module(self, kind: str, size: tuple[int, int]) -> Any:
        return super().cost_module("key", size)


class NoKeyCost(Net):
    def cost_module(self, kind: str, size: tuple[int, int]) -> Any:
        raise UserError("not today")


@pytest.mark.parametrize(
    ("method", "finding"),
    [
        (type("A", (Net,), {"scores": lambda self, y: y.double().numpy()}), "scores() returns float64[4, 48, 64]"),
        (type("A", (Net,), {"scores": lambda self, y: y[..., 1:].numpy()}), "scores() returns float32[4, 48, 63]"),
        (type("A", (Net,), {"scores": lambda self, y: y}), "scores() returns Tensor"),
        (type("A", (Net,), {"scores": lambda self, y: -y.numpy()}), "the argmax of scores() is the prediction on "),
        (type("A", (Net,), {"scores": raising}), "hooks: RuntimeError at test_method_hooks.py"),
        (type("A", (Net,), {"cost_module": raising}), "cost_module('key', ...) raised RuntimeError: odd"),
        (type("A", (Net,), {"cost_module": lambda self, kind, size: self.network}), "does not return (torch module, "),
        (Scripted, "cannot be counted: RuntimeError: register_forward_pre_hook is not supported"),
        (AllKinds, "cost_module offers nonkey frames, but none of 24 frames was one"),
        (AllKinds, "cost_module offers warmup frames"),
        (NoKeyCost, "there are key frames, and cost_module has none: not today"),
        (type("A", (Net,), {"parameter_counts": counts(every=3)}), "parameter_counts() returns {'every': 3}"),
        (type("A", (Net,), {"parameter_counts": counts(all=3, without_training_only=4)}), "parameter_counts() returns"),
        (type("A", (Net,), {"parameter_counts": counts(all=3.0)}), "parameter_counts() returns {'all': 3.0}"),
        (type("A", (Net,), {"weights": None}), "has a network but no weights"),
        (type("A", (Net,), {"weights": property(raising)}), "the hook weights raised RuntimeError: odd"),
        (type("A", (Average,), {"runs_inner": None}), "does not say on which frames the inner method runs"),
        (type("A", (Average,), {"runs_inner": "often"}), "the hook runs_inner is 'often', expected \"key\" or"),
        (type("A", (Hold,), {"runs_inner": "every"}), 'runs_inner is "every", but the inner method ran on frames [0'),
        (type("A", (Hold,), {"interval": 2}), 'runs_inner is "key", schedule says frames [0, 3, 6'),
        (
            type("A", (Hold,), {"decode": lambda self, y: Prediction(Hold.decode(self, y).labels, "key")}),
            "frame 1 is key of age 0, but the inner method did not run on it: nonkey",
        ),
        (
            type("A", (Average,), {"decode": lambda self, y: Prediction(Average.decode(self, y).labels, "warmup")}),
            "frame 0 is warmup of age 0, but the inner method said key of age 0",
        ),
    ],
)  # fmt: skip
def test_each_planted_fault_in_a_method_hook_is_found(method: Any, finding: str) -> None:
    with pytest.raises(CheckFailed) as caught:
        check_method(method)
    assert finding in str(caught.value), caught.value


def test_different_weights_each_time_are_the_only_finding() -> None:
    with pytest.raises(CheckFailed) as caught:
        check_method(Fresh)
    (finding,) = caught.value.failures
    assert finding.startswith("same input, same output: clip 'clip0' run twice: ")
    assert finding.endswith("of the labels of frame 0 differ; seed it or load weights")


def test_adaptive_schedule_may_have_no_nonkey_frame() -> None:
    assert check_method(type("A", (AllKinds,), {"schedule": OnChange()})).passed


class Clips:
    """A dataset with every optional hook."""

    name, side, split = "clips", frozenset({"motion"}), "val"

    def __init__(self) -> None:
        from vssbench.testing.made_clips import plain_space

        self.space = plain_space(4)

    def clips(self) -> list[str]:
        return ["a", "b"]

    def frames(self, clip: str) -> Any:
        for frame in random_clip(clip, length=4, size=(8, 10), seed=ord(clip)):
            yield replace(frame, digests=Digests(f"image {frame.stem}", "labels"))

    def stems(self, clip: str) -> list[str]:
        return [frame.stem for frame in self.frames(clip)]

    def labels(self, clip: str) -> Any:
        return ((frame.stem, frame.labels) for frame in self.frames(clip))

    def frame(self, clip: str, index: int) -> Frame:
        return list(self.frames(clip))[index]

    def labelled(self, clip: str) -> list[int]:
        return [0, 1, 2, 3]

    def digests(self, clip: str) -> Any:
        return ((stem, Digests(f"image {stem}", "labels")) for stem in self.stems(clip))

    def video(self, clip: str) -> None:
        return None


def test_dataset_with_every_hook_passes() -> None:
    assert check_dataset(Clips()).passed[-1] == "hooks"
    assert set(DATASET) <= set(dir(Clips))


@pytest.mark.parametrize(
    ("hook", "value", "finding"),
    [
        ("side", frozenset({"depth"}), "side names depth, which no frame of clip 'a' has"),
        ("side", "motion", "the hook side is 'motion'"),
        ("split", 3, "the hook split is 3"),
        (
            "frame",
            lambda self, clip, index: next(self.frames(clip)),
            "frame('a', 3) differs from the frame that frames() returns",
        ),
        ("frame", raising, "RuntimeError"),
        ("labelled", lambda self, clip: [0, 2], "labelled('a') is [0, 2], frames 0, 1, 2, 3 have labels"),
        ("digests", lambda self, clip: iter([("000000", None)]), "digests('a') differ from those of the frames"),
        ("video", lambda self, clip: "a.mp4", "video('a') returns 'a.mp4', expected a path of a file, or None"),
    ],
)
def test_each_planted_fault_in_a_dataset_hook_is_found(hook: str, value: Any, finding: str) -> None:
    with pytest.raises(CheckFailed) as caught:
        check_dataset(type("Odd", (Clips,), {hook: value})())
    assert finding in str(caught.value), caught.value
