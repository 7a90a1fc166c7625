"""The optional parts ("hooks") of a method and of a dataset: one protocol each, and the one place that asks for them.

A method without any runs and is scored; with them it has GFLOPs, parameters and weights too, and wrappers and training
can do more with it. None counts as not offered. What is offered and cannot be used is a `HookFault`: `faults` lists
them, for a result and for `vssbench.testing`, and whoever only describes a method does without.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, Protocol, get_args, runtime_checkable

from vssbench.errors import UserError, cause
from vssbench.types import KINDS, Dataset, Digests, Frame, Kind, Method, Runtime, Weights

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from torch import Tensor, nn

RunsInner = Literal["key", "every"]


@runtime_checkable
class HasNetwork(Protocol):
    """`network`: the torch module of which every parameter is used in inference. It gives the number of parameters."""

    network: nn.Module


@runtime_checkable
class HasParameterCounts(Protocol):
    """`parameter_counts()`, in place of `network` where the parameters are those of several modules, or only a part."""

    def parameter_counts(self) -> Mapping[str, int]:
        """{"all": n} and, where some parameters are read by a training loss alone, {"without_training_only": n}."""


@runtime_checkable
class HasCost(Protocol):
    """`cost_module(kind, size)`: what a frame of a kind computes, as something that FLOP counters can trace."""

    def cost_module(self, kind: Kind, size: tuple[int, int]) -> tuple[nn.Module, tuple[Tensor, ...]]:
        """A module from the network's input to class scores, and its inputs, for a frame of that size (H, W).

        The first input is the picture as the network sees it, [.., 3, h, w]; of any other no input size is told. All
        that is computed must feed the output. Raises UserError for a kind of frame that the method does not have.
        A wrapper's is its own part only: what the method inside computes is added.
        """


class Work(NamedTuple):
    """What a frame computes.

    macs:       operator -> multiply-accumulates, up to class scores
    counter:    who counted, and what, in a few words
    input_size: (H, W) of the picture as the network sees it
    """

    macs: Mapping[str, int]
    counter: str
    input_size: tuple[int, int] | None = None


@runtime_checkable
class HasWork(Protocol):
    """`work(kind, size)`, in place of `cost_module` where what runs is no torch module."""

    def work(self, kind: Kind, size: tuple[int, int]) -> Work:
        """The cost of a frame of that size (H, W). Raises UserError for an unknown kind of frame."""


@runtime_checkable
class HasOutsideTorch(Protocol):
    """`outside_torch`: frame kind -> what the method computes there outside torch, where no counter sees it."""

    outside_torch: Mapping[Kind, str]


@runtime_checkable
class HasScores(Protocol):
    """`scores(y)`: class scores, for wrappers that carry more than labels from frame to frame."""

    def scores(self, y: Any) -> NDArray[np.float32]:
        """float32[C, H, W] at the frame's size, of what `step` gave; their argmax is the prediction."""


@runtime_checkable
class Wraps(Protocol):
    """A method around another one. `vssbench.wrapping.Wrapper` is the common half of one.

    inner:      the method inside
    runs_inner: "key": on key frames only, every other frame is of kind "nonkey" and costs what the wrapper itself does;
                "every": on every frame. On the frames on which it runs, its kind and age are passed on.
    What the wrapper costs follows from it.
    """

    inner: Method
    runs_inner: RunsInner


@runtime_checkable
class HasSchedule(Protocol):
    """`schedule`: when a key frame comes. One that `Plans` gives a nominal cost; any other follows from the video."""

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
    """`gop`: frames from one key frame to the next, of a method whose key frames are the video codec's."""

    gop: int


@runtime_checkable
class HasNumerics(Protocol):
    """`numerics`: how the network is run, with `compile: bool` (`vssbench.networks.numerics.Numerics`).

    Its method's arguments `dtype`, `compile` and `decode` are options that trade digits for speed: a run compares.
    """

    numerics: Any


@runtime_checkable
class HasRuntime(Protocol):
    """`runtime`: what runs the networks, where that is not torch as `numerics` says."""

    runtime: Runtime


@runtime_checkable
class HasWeights(Protocol):
    """`weights`: where the weights come from. A method without them says nothing; one that is untrained must."""

    weights: Weights


@runtime_checkable
class HasClasses(Protocol):
    """`classes`: how many classes the method can predict, for `check_method`."""

    classes: int


@runtime_checkable
class HasSide(Protocol):
    """A dataset's `side`: names of the inputs besides the image that its frames carry (`Frame.side`)."""

    side: frozenset[str]


@runtime_checkable
class HasFrame(Protocol):
    """A dataset's `frame(clip, index)`: one frame by itself; without it, training streams a clip up to the frame."""

    def frame(self, clip: str, index: int) -> Frame: ...


@runtime_checkable
class HasLabelled(Protocol):
    """A dataset's `labelled(clip)`: which frames have labels; without it, training reads the labels of them all."""

    def labelled(self, clip: str) -> Sequence[int]: ...


@runtime_checkable
class HasVideo(Protocol):
    """A dataset's `video(clip)`: the clip's own video file, or None; its motion is then that of the file."""

    def video(self, clip: str) -> Path | None: ...


@runtime_checkable
class HasDigests(Protocol):
    """A dataset's `digests(clip)`: digests of the bytes of each frame and its labels, without decoding them.

    They are those that `Frame.digests` carries; without it, a resumed run reads every finished clip again to compare.
    """

    def digests(self, clip: str) -> Iterator[tuple[str, Digests]]: ...


@runtime_checkable
class HasClipFiles(Protocol):
    """`clip_files(clip, stems)`: files that the method reads for the frames of a clip, such as predictions of another
    program. Where their contents have changed, a resumed run measures the clip anew."""

    def clip_files(self, clip: str, stems: Sequence[str]) -> Sequence[Path]: ...


@runtime_checkable
class HasSplit(Protocol):
    """A dataset's `split`: the part of it that was opened, for `vssbench doctor`."""

    split: str


class Hook(NamedTuple):
    """expected: what must come, in words; fits: whether it did."""

    protocol: type
    expected: str
    fits: Callable[[Any], bool]


def _count(value: Any) -> bool:
    return type(value) is int and value >= 1


def _fixed_or_not(schedule: Any) -> bool:
    interval = getattr(schedule, "key_interval", None)
    return interval is None or _count(interval)


def _outside(value: Any) -> bool:
    return isinstance(value, Mapping) and all(kind in KINDS and isinstance(value[kind], str) for kind in value)


def _names(value: Any) -> bool:
    return isinstance(value, frozenset | set | tuple | list) and all(isinstance(name, str) for name in value)


METHOD: dict[str, Hook] = {
    "network": Hook(HasNetwork, "a torch module", lambda value: callable(getattr(value, "parameters", None))),
    "parameter_counts": Hook(HasParameterCounts, "a function", callable),
    "cost_module": Hook(HasCost, "a function", callable),
    "work": Hook(HasWork, "a function", callable),
    "outside_torch": Hook(HasOutsideTorch, "a mapping from frame kinds to words", _outside),
    "scores": Hook(HasScores, "a function", callable),
    "inner": Hook(Wraps, "the method that is wrapped", lambda value: isinstance(value, Method)),
    "runs_inner": Hook(Wraps, '"key" or "every"', lambda value: value in get_args(RunsInner)),
    "schedule": Hook(HasSchedule, "a key_interval that is a whole number, 1 or more, or none", _fixed_or_not),
    "gop": Hook(HasGop, "a whole number, 1 or more", _count),
    "numerics": Hook(
        HasNumerics, "an object with compile, a bool", lambda value: isinstance(getattr(value, "compile", None), bool)
    ),
    "runtime": Hook(HasRuntime, "a vssbench.types.Runtime", lambda value: isinstance(value, Runtime)),
    "weights": Hook(HasWeights, "a vssbench.Weights", lambda value: isinstance(value, Weights)),
    "clip_files": Hook(HasClipFiles, "a function", callable),
    "classes": Hook(HasClasses, "a whole number, 1 or more", _count),
}
DATASET: dict[str, Hook] = {
    "side": Hook(HasSide, "names of inputs", _names),
    "frame": Hook(HasFrame, "a function", callable),
    "labelled": Hook(HasLabelled, "a function", callable),
    "video": Hook(HasVideo, "a function", callable),
    "digests": Hook(HasDigests, "a function", callable),
    "split": Hook(HasSplit, "a string", lambda value: isinstance(value, str)),
}


REQUIRED: dict[type, tuple[str, ...]] = {
    Method: ("name", "needs", "lookahead", "reset", "prepare", "step", "decode"),
    Dataset: ("name", "space", "clips", "stems", "frames", "labels"),
}


class HookFault(UserError):
    """A hook that is there and cannot be used."""

    @property
    def sentence(self) -> str:
        """What is wrong, for the notes of a result."""
        return f"{self.brief}, expected {self.expected}" if self.expected else self.brief


def lacking(owner: object, protocol: type) -> list[str]:
    """What every method, or dataset, must have and this one has not."""
    return [name for name in REQUIRED[protocol] if not hasattr(owner, name)]


def offered(owner: object, name: str) -> Any:
    """What a method or dataset offers under the name of a hook, None where it does not.

    Raises HookFault where it raises, or is not what the hook's protocol says.
    """
    hook = (METHOD | DATASET)[name]
    try:
        value = getattr(owner, name)
        fits = value is None or hook.fits(value)
    except (Exception, SystemExit) as error:
        if isinstance(error, AttributeError) and inspect.getattr_static(owner, name, None) is None:
            return None
        raise HookFault(f"the hook {name} raised {cause(error)}", where=_name(owner)) from error
    if not fits:
        raise HookFault(f"the hook {name} is {_shown(value)}", where=_name(owner), expected=hook.expected)
    return value


def usable(owner: object, name: str) -> Any:
    """The same, and None for what cannot be used: for whoever can do without. `faults` says what that was."""
    try:
        return offered(owner, name)
    except HookFault:
        return None


def faults(owner: object, names: Mapping[str, Hook] = METHOD) -> Iterator[HookFault]:
    """What is wrong with the hooks of a method and of those inside it, or with `DATASET`'s of a dataset."""
    for layer in layers(owner):
        for name in names:
            try:
                offered(layer, name)
            except HookFault as fault:
                yield fault
        if names is METHOD and inner(layer) is not None and runs_inner(layer) is None:
            yield HookFault(
                "wraps a method and does not say on which frames that runs: what it costs is not known",
                where=_name(layer),
                expected='runs_inner = "key" or "every"',
            )


def _name(owner: object) -> str:
    return str(getattr(owner, "name", None) or type(owner).__name__)


def _shown(value: object) -> str:
    return repr(value) if isinstance(value, bool | int | float | str) else type(value).__name__


def inner(method: object) -> Method | None:
    """The method that it wraps."""
    found: Method | None = usable(method, "inner")
    return found


def named_by(method: object, argument: str) -> Method | None:
    """The method that an argument of `specs.INSIDE` named: the wrapped one, or an attribute of the argument's name."""
    found = inner(method) if argument == "of" else getattr(method, argument, None)
    return found if isinstance(found, Method) else None


def runs_inner(wrapper: object) -> RunsInner | None:
    """On which frames a wrapper runs the method inside; None where it does not say."""
    found: RunsInner | None = usable(wrapper, "runs_inner")
    return found


def layers(method: object) -> Iterator[Any]:
    """The method, the one that it wraps, the one that that wraps, ..."""
    layer: Any = method
    while layer is not None:
        yield layer
        layer = inner(layer)


def weights(method: object) -> Weights:
    """Where its weights come from; a wrapper that does not say has those of the method inside."""
    said = (usable(layer, "weights") for layer in layers(method))
    return next((found for found in said if found is not None), Weights())


def gop(method: object) -> int | None:
    """Frames from one key frame to the next as the method, or the one inside it, asks of a video codec."""
    return next((found for layer in layers(method) if (found := usable(layer, "gop")) is not None), None)


def compiles(method: object) -> bool:
    """Whether a network is compiled when it first sees a frame of some kind, which takes longer than all timed ones."""
    return any((numerics := usable(layer, "numerics")) is not None and numerics.compile for layer in layers(method))


def chosen(method: object, argument: str, default: object) -> object:
    """What an argument that was left to its default came to, such as a backbone that depends on the classes.

    A method says so by an attribute of the argument's name.
    """
    try:
        return getattr(method, argument, default)
    except Exception:  # anybody's property, which may mean something else
        return default


def key_interval(method: object) -> int | None:
    """Frames from one key frame to the next, of a fixed `schedule` or `gop`; None where there is none."""
    schedule = usable(method, "schedule")
    return usable(method, "gop") if schedule is None else getattr(schedule, "key_interval", None)


def nominal_schedule(method: object, has_nonkey: bool) -> dict[str, int] | None:
    """Frame kind -> how often it runs in one of the method's own intervals; None where that follows from the video.

    has_nonkey: whether it is known to have nonkey frames; one with neither `schedule` nor `gop` runs key frames only
    """
    wrapped, interval = inner(method), key_interval(method)
    if wrapped is not None and runs_inner(method) == "every":
        return nominal_schedule(wrapped, has_nonkey)
    if wrapped is not None and runs_inner(method) == "key":
        within = nominal_schedule(wrapped, has_nonkey=False)
        if within is None or interval is None:
            return None
        return {**within, "nonkey": within.get("nonkey", 0) + (interval - 1) * sum(within.values())}
    if interval is not None:
        return {"key": 1, "nonkey": interval - 1}
    return None if has_nonkey or usable(method, "schedule") is not None else {"key": 1}


def key_frames(method: object, lengths: Sequence[int]) -> list[int] | None:
    """How many key frames clips of those lengths have; None where that is not fixed."""
    schedule = usable(method, "schedule")
    if not isinstance(schedule, Plans):
        return None
    return [sum(map(schedule.is_key, range(length))) for length in lengths]


def side(dataset: Dataset) -> frozenset[str]:
    """Names of the inputs besides the image that its frames carry."""
    return frozenset(offered(dataset, "side") or ())


def video(dataset: Dataset, clip: str) -> Path | None:
    """The clip's own video file, where it is one."""
    find: Callable[[str], Path | None] | None = offered(dataset, "video")
    return None if find is None else find(clip)


def frame(dataset: Dataset, clip: str, index: int) -> Frame:
    """One frame of a clip: by itself where the dataset can, else the clip is streamed up to it."""
    read: Callable[[str, int], Frame] | None = offered(dataset, "frame")
    return next(islice(dataset.frames(clip), index, None)) if read is None else read(clip, index)


def labelled(dataset: Dataset, clip: str) -> list[int]:
    """Which frames of a clip have labels, in order."""
    known: Callable[[str], Sequence[int]] | None = offered(dataset, "labelled")
    if known is not None:
        return list(known(clip))
    return [index for index, (_, labels) in enumerate(dataset.labels(clip)) if labels is not None]
