"""The types that flow through the harness: frames in, predictions out, and the three protocols to implement.

This module needs only NumPy, and `errors` to refuse invalid values.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal, NamedTuple, Protocol, get_args, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from vssbench.errors import UserError

Kind = Literal["key", "nonkey", "warmup"]
KINDS: tuple[Kind, ...] = get_args(Kind)
PHASES = ("prepare", "step", "decode")
"""The phases of a method on each frame, each timed separately."""
IGNORE = 255
"""Train id of a pixel that has no label."""

UInt8 = NDArray[np.uint8]


class Digests(NamedTuple):
    """SHA-256 digests, in hexadecimal, of what a frame was read from: the files' bytes or what replaces them.

    labels: None if the frame has no labels
    """

    image: str
    labels: str | None = None


@dataclass(frozen=True, slots=True)
class Frame:
    """One video frame.

    clip:   name of the clip
    index:  position in the clip, from 0; if file names number the frames, missing ones keep their places
    image:  uint8[H, W, 3], RGB
    labels: uint8[H, W] train ids, 255 = ignore; None if the frame is streamed but not scored
    side:   further inputs, e.g. "motion": float32[H, W, 2], pixels, x first (source in the key frame = pixel + motion)
    stem:   the frame's file name without its extension, after which prediction files are named
    digests: of what it was read from; None if the dataset does not say: its arrays are then digested instead
    """

    clip: str
    index: int
    image: UInt8
    labels: UInt8 | None = None
    side: Mapping[str, np.ndarray] = field(default_factory=dict)
    stem: str = ""
    digests: Digests | None = None

    def read_only(self) -> Frame:
        """The same frame with read-only views of its arrays, because methods share the frames they are given."""
        return replace(
            self,
            image=_locked(self.image),
            labels=None if self.labels is None else _locked(self.labels),
            side={name: _locked(array) for name, array in self.side.items()},
        )


@dataclass(frozen=True, slots=True)
class Prediction:
    """A method's answer for one frame.

    labels: uint8[H, W] train ids at the frame's size
    kind:   what actually ran: "key" (full cost), "nonkey" (cheap) or "warmup" (special start of a clip)
    age:    frames since the key frame that this prediction is based on, 0 on a key frame
    """

    labels: UInt8
    kind: Kind
    age: int = 0

    def __post_init__(self) -> None:
        if isinstance(self.age, np.integer):  # uint8 wraps at 256, and ages are added and multiplied
            object.__setattr__(self, "age", int(self.age))


def _locked(array: Any) -> Any:
    """A read-only view of the array; anything that is not an array is returned unchanged."""
    if not isinstance(array, np.ndarray):
        return array
    view = array.view()
    view.flags.writeable = False
    return view


@dataclass(frozen=True)
class Weights:
    """Where a method's weights come from; part of every result.

    origin: "none" (the method has no weights), "file" (the user's checkpoint), "packaged", or "untrained"
    sha256: of the file, hexadecimal
    note:   which of several networks in the file was taken; None if there was no choice
    """

    origin: Literal["none", "file", "packaged", "untrained"] = "none"
    path: str | None = None
    sha256: str | None = None
    note: str | None = None


@dataclass(frozen=True)
class Runtime:
    """What runs a method's networks; part of every result.

    name:        the program and its version, "torch 2.13.0", "onnxruntime 1.32.0"
    provider:    what it runs them on: "cpu", "cuda", "tensorrt", "openvino"
    precision:   of convolutions and products: "float32", "bf16", "fp16" or "int8"
    compiled:    whether networks were compiled for this machine first
    opset, calibration: for a graph: the opset of its operators, and the frames that its int8 ranges were taken from
    file_bytes:  for a deployed model: the size of its folder's files
    agreement:   for a deployed model: percent of the pixels that it labels as the method it was exported from
    options:     that it was started with
    notes:       what a reader must know, one sentence each
    """

    name: str
    provider: str
    precision: str
    compiled: bool = False
    opset: int | None = None
    calibration: str | None = None
    file_bytes: int | None = None
    agreement: float | None = None
    options: Mapping[str, str | int] = field(default_factory=dict)
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, eq=False, repr=False)
class LabelSpace:
    """The classes of a dataset and their values in its files (read from labels/*.yaml, applied once, by the dataset).

    names:    train id -> class name
    colours:  uint8[C, 3], RGB, for pictures
    from_file: uint8[256], file value -> train id, 255 = ignore
    to_file:  uint8[C], train id -> the file value that `export` writes
    known:    bool[256], file values that the dataset's documentation lists (classes and void)
    stray:    file values known to occur in the release by mistake (read as ignore, reported by doctor)
    void_value: the file value that `export` writes for ignored pixels
    from_colour: (r, g, b) -> train id, for layouts whose masks are colours
    Raises UserError for more than 255 classes.
    """

    name: str
    names: tuple[str, ...]
    colours: UInt8
    from_file: UInt8
    to_file: UInt8
    known: NDArray[np.bool_]
    stray: frozenset[int] = frozenset()
    void_value: int = IGNORE
    from_colour: Mapping[tuple[int, int, int], int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        check_classes(self.name, self.names)

    @classmethod
    def plain(cls, name: str, names: Sequence[str]) -> LabelSpace:
        """Make a label space from names alone: file values are the train ids, colours are greys."""
        check_classes(name, names)
        ids = np.arange(len(names), dtype=np.uint8)
        from_file = np.full(256, IGNORE, np.uint8)
        from_file[: len(names)] = ids
        return cls(name, tuple(names), np.stack([ids, ids, ids], axis=1), from_file, ids, from_file != IGNORE)

    def __repr__(self) -> str:
        return f"<label space {self.name}, {self.classes} classes>"

    @property
    def classes(self) -> int:
        """The number of classes (train ids 0 .. classes - 1)."""
        return len(self.names)


def check_classes(name: str, names: Sequence[object]) -> None:
    """Raise UserError for a label space with more than 255 classes: a byte also has to mark pixels without a label."""
    if len(names) > IGNORE:
        raise UserError(
            f"the label space {name} has {len(names)} classes",
            expected=f"at most {IGNORE}: train ids are bytes, and {IGNORE} stands for no label",
            fix="leave out or merge the classes that are not scored",
        )


@runtime_checkable
class Method(Protocol):
    """A video segmentation method: three phases per frame, timed separately, causal unless `lookahead` says otherwise.

    name:      canonical spec
    needs:     side inputs ("motion"), checked before the first frame
    lookahead: frames after the current one that the output depends on; 0 = causal
    weights:   may be missing for a method that has none
    """

    name: str
    needs: frozenset[str]
    lookahead: int

    def reset(self) -> None:
        """Forget everything about the previous clip."""

    def prepare(self, frame: Frame) -> Any:
        """Resize, normalise, move to the device. Called once per frame, in order."""

    def step(self, x: Any) -> Any:
        """Run the network on one frame."""

    def decode(self, y: Any) -> Prediction:
        """Upsample, argmax, back to the host."""


class Metric(Protocol):
    """Statistics of the frames seen; totals come only from `merge`, whose order cannot change a digit.

    The constructor is called with (space: LabelSpace, specs: list[Spec]): the metric strings that this class handles.
    `state` is JSON (integers, so that merging is exact); `load` replaces the state with one read back.
    `compute` returns percentages by canonical name, None where undefined.

    name:             the key of the state in a clip's record
    higher_is_better: of the class: decides which figure of a table is marked best, and which sign a rule has

    A class that also offers `totals` (vssbench.metrics.accuracy.clip_states.HasTotals) says what each clip adds to its
    figure. The figure then has an interval over clips, can be compared clip by clip, and is computed from these totals
    in results. Without `totals`, the clips' states are merged for `compute`, and the interval says that it has none.
    A class that offers `check_spec` (vssbench.metrics.plan.ChecksSpec) can refuse a metric string before a run begins.
    """

    name: str
    higher_is_better: bool

    def update(self, frame: Frame, prediction: Prediction) -> None: ...
    def merge(self, other: Any) -> None: ...
    def state(self) -> Any: ...
    def load(self, state: Any) -> None: ...
    def compute(self) -> dict[str, float | None]: ...


@runtime_checkable
class Dataset(Protocol):
    """Video, labelled or not. The constructor is called with (root: Path | None, split: str, **spec arguments)."""

    name: str
    space: LabelSpace

    def clips(self) -> Sequence[str]: ...

    def stems(self, clip: str) -> Sequence[str]:
        """Return the frames' names in order, without reading them; their number is the clip's length."""

    def frames(self, clip: str) -> Iterator[Frame]:
        """Yield every frame in order, labelled or not."""

    def labels(self, clip: str) -> Iterator[tuple[str, UInt8 | None]]:
        """Yield (stem, train ids or None) for every frame in order, without decoding the images."""
