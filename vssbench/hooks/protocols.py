"""What methods and datasets may offer beyond `vssbench.types.Method` and `Dataset`: one protocol for each part."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, Protocol, runtime_checkable

from vssbench.types import Digests, Frame, Kind, Method, Runtime, Weights

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from torch import Tensor, nn

RunsInner = Literal["key", "every"]


@runtime_checkable
class HasNetwork(Protocol):
    """`network`: the torch module, every parameter of which is used in inference. Its parameters are counted."""

    network: nn.Module


@runtime_checkable
class HasParameterCounts(Protocol):
    """`parameter_counts()`, instead of `network` if the parameters belong to several modules, or to part of one."""

    def parameter_counts(self) -> Mapping[str, int]:
        """Return {"all": n}, with "without_training_only": n if some parameters are used only by a training loss."""


@runtime_checkable
class HasCost(Protocol):
    """`cost_module(kind, size)`: the computation on a frame of one kind, in a form that FLOP counters can trace."""

    def cost_module(self, kind: Kind, size: tuple[int, int]) -> tuple[nn.Module, tuple[Tensor, ...]]:
        """Return a module from the network's input to class scores, and its inputs, for a frame of that size (H, W).

        The first input is the picture as the network sees it, [.., 3, h, w]; without that shape, no input size is
        reported. Everything computed must feed the output. Raises UserError for a kind of frame that the method does
        not have. A wrapper's module covers its own part only: the inner method's computation is added to it.
        """


class Work(NamedTuple):
    """The computation on one frame.

    macs:       operator -> multiply-accumulates, up to class scores
    counter:    what counted, and what was counted, in a few words
    input_size: (H, W) of the picture as the network sees it
    """

    macs: Mapping[str, int]
    counter: str
    input_size: tuple[int, int] | None = None


@runtime_checkable
class HasWork(Protocol):
    """`work(kind, size)`, instead of `cost_module` if what runs is not a torch module."""

    def work(self, kind: Kind, size: tuple[int, int]) -> Work:
        """Return the cost of a frame of that size (H, W). Raises UserError for an unknown kind of frame."""


@runtime_checkable
class HasOutsideTorch(Protocol):
    """`outside_torch`: frame kind -> what the method computes on it outside torch, where no counter sees it."""

    outside_torch: Mapping[Kind, str]


@runtime_checkable
class HasScores(Protocol):
    """`scores(y)`: class scores, for wrappers that carry more than labels from frame to frame."""

    def scores(self, y: Any) -> NDArray[np.float32]:
        """Return float32[C, H, W] at the frame's size, from what `step` returned; the argmax is the prediction."""


@runtime_checkable
class Wraps(Protocol):
    """A method that wraps another one. `vssbench.wrapping.Wrapper` is a base class for it.

    inner:      the inner method
    runs_inner: "key": on key frames only; every other frame is of kind "nonkey" and costs only the wrapper's own part.
                "every": on every frame. On the frames on which it runs, its kind and age are passed on.
    The wrapper's cost follows from `runs_inner`.
    """

    inner: Method
    runs_inner: RunsInner


@runtime_checkable
class HasSchedule(Protocol):
    """`schedule`: when a key frame comes. One that `Plans` has a nominal cost; any other depends on the video."""

    schedule: Any


@runtime_checkable
class Plans(Protocol):
    """A fixed schedule, such as `vssbench.schedule.FixedInterval`.

    key_interval: frames from one key frame to the next
    """

    key_interval: int

    def is_key(self, index: int) -> bool:
        """Whether the frame at this position of its clip is a key frame."""


@runtime_checkable
class HasGop(Protocol):
    """`gop`: frames from one key frame to the next, for a method whose key frames are the video codec's."""

    gop: int


@runtime_checkable
class HasNumerics(Protocol):
    """`numerics`: how the network is run, with `compile: bool` (`vssbench.networks.numerics.Numerics`).

    The method's arguments `dtype`, `compile` and `decode` trade digits for speed: a run measures what they change.
    """

    numerics: Any


@runtime_checkable
class HasRuntime(Protocol):
    """`runtime`: what runs the networks, if that is not torch as described by `numerics`."""

    runtime: Runtime


@runtime_checkable
class HasWeights(Protocol):
    """`weights`: where the weights come from. Optional for a method without weights, required for an untrained one."""

    weights: Weights


@runtime_checkable
class HasClasses(Protocol):
    """`classes`: the number of classes that the method can predict, for `check_method`."""

    classes: int


@runtime_checkable
class HasSide(Protocol):
    """A dataset's `side`: names of the inputs besides the image that its frames carry (`Frame.side`)."""

    side: frozenset[str]


@runtime_checkable
class HasFrame(Protocol):
    """A dataset's `frame(clip, index)`: a single frame; without this hook, training streams a clip up to the frame."""

    def frame(self, clip: str, index: int) -> Frame: ...


@runtime_checkable
class HasLabelled(Protocol):
    """A dataset's `labelled(clip)`: which frames have labels; without this hook, training reads the labels of all."""

    def labelled(self, clip: str) -> Sequence[int]: ...


@runtime_checkable
class HasVideo(Protocol):
    """A dataset's `video(clip)`: the clip's own video file, from which its motion is then taken, or None."""

    def video(self, clip: str) -> Path | None: ...


@runtime_checkable
class HasDigests(Protocol):
    """A dataset's `digests(clip)`: digests of the bytes of each frame and its labels, without decoding them.

    They equal `Frame.digests`. Without this hook, a resumed run reads every finished clip again to compare.
    """

    def digests(self, clip: str) -> Iterator[tuple[str, Digests]]: ...


@runtime_checkable
class HasClipFiles(Protocol):
    """`clip_files(clip, stems)`: files that the method reads for the frames of a clip, such as predictions of another
    program. If their contents have changed, a resumed run measures the clip again."""

    def clip_files(self, clip: str, stems: Sequence[str]) -> Sequence[Path]: ...


@runtime_checkable
class HasSplit(Protocol):
    """A dataset's `split`: the part of the dataset that was opened, for `vssbench doctor`."""

    split: str
