"""The optional parts ("hooks") of methods and datasets: one protocol each, and the only module that looks them up.

A method without hooks can be run and scored. With them it also has GFLOPs, parameters and weights, and wrappers and
training can do more with it. None counts as not offered. A hook that is offered but cannot be used is a `HookFault`:
`faults` lists them, for a result and for `vssbench.testing`; code that only describes a method ignores such hooks.
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


class Hook(NamedTuple):
    """What a hook must be. expected: in words; fits: whether a value is that."""

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
    """A hook that is offered but cannot be used."""

    @property
    def sentence(self) -> str:
        """The fault in one sentence, for the notes of a result."""
        return f"{self.brief}, expected {self.expected}" if self.expected else self.brief


def lacking(owner: object, protocol: type) -> list[str]:
    """The names that every method, or dataset, must have and this one lacks."""
    return [name for name in REQUIRED[protocol] if not hasattr(owner, name)]


def offered(owner: object, name: str) -> Any:
    """Return what a method or dataset offers under the name of a hook, or None.

    Raises HookFault if reading it raises, or if it is not what the hook's protocol says.
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
    """Return the same, but None for a hook that cannot be used, for callers that can do without; see `faults`."""
    try:
        return offered(owner, name)
    except HookFault:
        return None


def faults(owner: object, names: Mapping[str, Hook] = METHOD) -> Iterator[HookFault]:
    """Yield what is wrong with the hooks of a method and its inner methods, or with a dataset's (names: `DATASET`)."""
    for layer in layers(owner):
        for name in names:
            try:
                offered(layer, name)
            except HookFault as fault:
                yield fault
        if names is METHOD and inner(layer) is not None and runs_inner(layer) is None:
            yield HookFault(
                "wraps a method but does not say on which frames the inner method runs: its cost is not known",
                where=_name(layer),
                expected='runs_inner = "key" or "every"',
            )


def _name(owner: object) -> str:
    return str(getattr(owner, "name", None) or type(owner).__name__)


def _shown(value: object) -> str:
    return repr(value) if isinstance(value, bool | int | float | str) else type(value).__name__


def inner(method: object) -> Method | None:
    """The inner method of a wrapper; None for any other method."""
    found: Method | None = usable(method, "inner")
    return found


def named_by(method: object, argument: str) -> Method | None:
    """The method named by an argument in `specs.INSIDE`: the inner method, or the attribute of the argument's name."""
    found = inner(method) if argument == "of" else getattr(method, argument, None)
    return found if isinstance(found, Method) else None


def runs_inner(wrapper: object) -> RunsInner | None:
    """The frames on which a wrapper runs its inner method; None if it does not say."""
    found: RunsInner | None = usable(wrapper, "runs_inner")
    return found


def layers(method: object) -> Iterator[Any]:
    """Yield the method, its inner method, the inner method of that, and so on."""
    layer: Any = method
    while layer is not None:
        yield layer
        layer = inner(layer)


def weights(method: object) -> Weights:
    """Where the method's weights come from; a wrapper that does not say has those of its inner method."""
    said = (usable(layer, "weights") for layer in layers(method))
    return next((found for found in said if found is not None), Weights())


def gop(method: object) -> int | None:
    """Frames from one key frame to the next that the method, or its inner method, asks of a video codec."""
    return next((found for layer in layers(method) if (found := usable(layer, "gop")) is not None), None)


def compiles(method: object) -> bool:
    """Whether a network is compiled on its first frame of each kind, which takes longer than all timed frames."""
    return any((numerics := usable(layer, "numerics")) is not None and numerics.compile for layer in layers(method))


def chosen(method: object, argument: str, default: object) -> object:
    """The value that an argument left to its default took on, such as a backbone that depends on the classes.

    A method reports it as an attribute of the argument's name.
    """
    try:
        return getattr(method, argument, default)
    except Exception:  # a foreign property, which may mean something else
        return default


def key_interval(method: object) -> int | None:
    """Frames from one key frame to the next under a fixed `schedule` or `gop`; None if there is neither."""
    schedule = usable(method, "schedule")
    return usable(method, "gop") if schedule is None else getattr(schedule, "key_interval", None)


def nominal_schedule(method: object, has_nonkey: bool) -> dict[str, int] | None:
    """Frame kind -> how often it runs in one of the method's own intervals; None if that depends on the video.

    has_nonkey: whether it is known to have nonkey frames; if not, one without `schedule` and `gop` runs key frames only
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
    """The number of key frames in clips of those lengths; None if that is not fixed."""
    schedule = usable(method, "schedule")
    if not isinstance(schedule, Plans):
        return None
    return [sum(map(schedule.is_key, range(length))) for length in lengths]


def side(dataset: Dataset) -> frozenset[str]:
    """The names of the inputs besides the image that the dataset's frames carry."""
    return frozenset(offered(dataset, "side") or ())


def video(dataset: Dataset, clip: str) -> Path | None:
    """The clip's own video file, or None."""
    find: Callable[[str], Path | None] | None = offered(dataset, "video")
    return None if find is None else find(clip)


def frame(dataset: Dataset, clip: str, index: int) -> Frame:
    """One frame of a clip: read singly if the dataset can do that, else by streaming the clip up to it."""
    read: Callable[[str, int], Frame] | None = offered(dataset, "frame")
    return next(islice(dataset.frames(clip), index, None)) if read is None else read(clip, index)


def labelled(dataset: Dataset, clip: str) -> list[int]:
    """The indices of the frames of a clip that have labels, in order."""
    known: Callable[[str], Sequence[int]] | None = offered(dataset, "labelled")
    if known is not None:
        return list(known(clip))
    return [index for index, (_, labels) in enumerate(dataset.labels(clip)) if labels is not None]
