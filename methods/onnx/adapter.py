"""ONNX graphs behind the adapter: `model.yaml` says what runs on which frame, and ONNX Runtime runs it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from hashlib import sha256
from importlib.metadata import version
from pathlib import Path
from statistics import fmean
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from vssbench.deploy import graph_macs
from vssbench.deploy.clip_state import ClipState
from vssbench.deploy.graph_file import read_graph
from vssbench.deploy.graph_shapes import check_sizes
from vssbench.deploy.graphs import Watch
from vssbench.deploy.model_file import NAME, Decode, FromPicture, FromSide, Interval, ModelFile, Size, Unless
from vssbench.deploy.pictures import Pictures
from vssbench.deploy.read_model import read_model
from vssbench.deploy.sessions import Optimise, Provider, Session, check_provider
from vssbench.errors import UserError, listed
from vssbench.files.input_files import contents, expanded
from vssbench.hooks import Work
from vssbench.methods.onnx import classes
from vssbench.methods.onnx.decode import class_labels, class_scores
from vssbench.methods.onnx.single_graph import Layout, SingleGraph
from vssbench.networks.class_mapping import MODEL
from vssbench.networks.per_frame import Segmentor
from vssbench.networks.sizes import parse_size
from vssbench.schedule import FixedInterval, OnChange, change, schedule, thumbnail
from vssbench.specs import Spec, parse
from vssbench.types import KINDS, Frame, Kind, LabelSpace, Runtime, UInt8, Weights

Array = np.ndarray[Any, Any]
_UNSEEN = np.empty((0, 0), np.float32)


@dataclass(frozen=True, slots=True)
class Input:
    """pictures: by name, see `vssbench.deploy.pictures`; side: the frame's own; thumbnail: as in mpvss."""

    clip: str
    index: int
    pictures: Mapping[str, Array]
    side: Mapping[str, Array]
    thumbnail: NDArray[np.float32]
    size: Size


class Output(NamedTuple):
    """outputs: of the graph, by name; decode: how to turn them into labels; size: (H, W) of the frame."""

    outputs: Mapping[str, Array]
    decode: Decode
    size: Size
    kind: Kind
    age: int


class Onnx(Segmentor):
    """Graphs in ONNX Runtime: a method that `vssbench export-model` exported, with its state, or one per-frame network.

    model:    a folder with model.yaml, or a file. Its input is one image, float32[1, 3, H, W] normalised or
              uint8[1, H, W, 3], RGB; its first output is scores, float32[1, C, h, w], or labels, int64[1, h, w]
    labels:   label space; the network's classes count by equal names, or as `mapping` says. "model": its own
    mapping:  file as `vssbench.networks.mapping_file` describes it; a bare graph's classes have only numbers
    provider: cpu, cuda, tensorrt or openvino, if the onnxruntime has it; None: the one for `device`
    optimise: what ONNX Runtime fuses first: all, extended, basic, none
    key_interval, offset: for an exported method with key frames, instead of its own
    For a file only:
    mean, std: RGB on the 0..255 scale, `123.675/116.28/103.53`; None: ImageNet's
    resize:   HEIGHTxWIDTH, bilinear (OpenCV); None: the graph's own size, or the frame's where the graph takes any
    layout:   nchw or nhwc: what the graph must be; None: what it is
    threads:  for one operator; None: as many as torch uses
    checkpoint: none is read: the weights are in the graphs

    No code that a graph asks for is loaded: see `vssbench.deploy.graph_file`. The method resets itself where the
    clip changes or a frame's index does not increase. Raises UserError for everything that does not fit.
    """

    name = "onnx"
    watch: Watch | None = None

    def __init__(
        self,
        model: str,
        labels: str | LabelSpace = MODEL,
        *,
        mapping: str | None = None,
        provider: Provider | None = None,
        optimise: Optimise = "all",
        key_interval: int | str | Spec | None = None,
        offset: int | None = None,
        mean: str | None = None,
        std: str | None = None,
        resize: str | None = None,
        layout: Layout | None = None,
        device: str = "cpu",
        threads: int | None = None,
    ):
        place = expanded(model)
        self.provider: Provider = provider or ("cuda" if device.startswith("cuda") else "cpu")
        check_provider(self.provider)
        self._single: SingleGraph | None = None
        if place.is_dir():
            _refuse(place, "model.yaml states it", mean=mean, std=std, resize=resize, layout=layout)
            _, self.model, self.graphs = read_model(place)
            counted = classes.of_folder(self.model, place / NAME, labels, mapping)
            digests = [contents(place / NAME)]
        else:
            _refuse(place, "a graph alone has no key frames", key_interval=key_interval, offset=offset)
            size = None if resize is None else parse_size(resize, "resize=")
            self._single = SingleGraph.of(graph := read_graph(place), layout, size, mean, std)
            check_sizes(graph)
            counted, names = classes.of_file(self._single, labels, mapping)
            self.model, self.graphs = self._single.model((1, 1), names), {"frame": self._single.info}
            digests = []
        super().__init__(counted.space)
        self.groups = counted.groups
        self.kinds = tuple(kind for kind in KINDS if any(one.kind == kind for one in self.model.graphs.values()))
        files = {info.path: info for info in self.graphs.values()}
        digest = ",".join([*digests, *(info.sha256 for info in files.values())])
        untrained = self.model.weights.origin == "untrained"
        self.weights = counted.noted(
            Weights("untrained" if untrained else "file", str(place), sha256(digest.encode()).hexdigest())
        )
        self._set_schedule(key_interval, offset)
        sides = {
            one.side
            for graph in self.model.graphs.values()
            for one in graph.inputs.values()
            if isinstance(one, FromSide)
        }
        self.needs = frozenset(sides if self._unless is None else {*sides, self._unless})
        threads = threads or torch.get_num_threads()
        options: dict[str, str | int] = {"optimise": optimise, "threads": threads}
        self.runtime = Runtime(
            name=f"onnxruntime {version('onnxruntime')}",
            provider=self.provider,
            precision=self.model.precision,
            opset=max(info.opset for info in files.values()),
            calibration=self.model.calibration,
            file_bytes=sum(info.bytes for info in files.values()),
            agreement=None if not self.model.parity else 100 * min(one.equal for one in self.model.parity.values()),
            options=options,
            notes=tuple(_notes(self.model)) if self._single is None else (),
        )
        self._sessions = {path: Session(info, self.provider, threads, optimise) for path, info in files.items()}
        self._state = ClipState(self.model)
        self._planned: tuple[Size, ModelFile, Pictures] | None = None
        self.reset()

    def _set_schedule(self, key_interval: int | str | Spec | None, offset: int | None) -> None:
        """Set `schedule` or `gop`, whichever the graphs have."""
        said = self.model.schedule
        self.schedule: FixedInterval | OnChange | None = None
        self.gop = said.gop if isinstance(said, Unless) else None
        self._unless = said.unless if isinstance(said, Unless) else None
        if isinstance(said, Interval):
            usual = said if key_interval is None else Interval(key_interval=1)
            interval = usual.key_interval if key_interval is None else key_interval
            self.schedule = schedule(
                parse(interval) if isinstance(interval, str) else interval, usual.offset if offset is None else offset
            )
        elif key_interval is not None or offset is not None:
            raise UserError(
                "key_interval and offset do not apply here",
                where=self.model.method,
                expected="a method whose model.yaml has a key_interval",
            )

    def reset(self) -> None:
        """Forget the clip."""
        self._state.reset()
        self._last: tuple[str, int] | None = None
        self._key: Input | None = None
        self._age = 0

    def prepare(self, frame: Frame) -> Input:
        height, width = frame.image.shape[:2]
        model, pictures = self._plan((height, width))
        found = pictures.of(frame.image, self._needed(model, frame.side))
        small = thumbnail(frame.image) if isinstance(self.schedule, OnChange) else _UNSEEN
        return Input(frame.clip, frame.index, found, frame.side, small, (height, width))

    def _plan(self, frame: Size) -> tuple[ModelFile, Pictures]:
        """Return how frames of that size are processed."""
        if self._planned is None or self._planned[0] != frame:
            model = self.model if self._single is None else self._single.model(frame, self.model.classes)
            if frame != model.frame:
                raise UserError(
                    f"a frame is {_by(frame)}, but the graphs are for {_by(model.frame)}",
                    where=self.name,
                    fix=f"vssbench export-model '{model.method}' --size {_by(frame)} --output DIR",
                )
            self._planned = frame, model, Pictures(model.pictures)
        return self._planned[1:]

    def _needed(self, model: ModelFile, side: Mapping[str, Array]) -> list[str]:
        """Return the pictures that a frame needs; where its side inputs tell its kind, only those of that kind."""
        if self._unless is None:
            return list(model.pictures)
        key = self._unless not in side
        here = [graph for graph in model.graphs.values() if graph.when.key in (None, key)]
        sources = [one for graph in here for one in graph.inputs.values()]
        wanted = {one.picture for one in sources if isinstance(one, FromPicture) and one.of == "this"}
        return sorted(wanted | (self._state.kept_pictures if key else set()))

    def step(self, x: Input) -> Output:
        if self._last is not None and (x.clip != self._last[0] or x.index <= self._last[1]):
            self.reset()
        key = self._is_key(x)
        name = self._state.graph(key)
        session = self._sessions[self.graphs[name].path]
        inputs = self._state.inputs(name, x.pictures, x.side, session.blank)
        outputs = session.run(inputs)
        model, _ = self._plan(x.size)
        if self._single is not None:
            outputs = {model.decode.outputs[0]: outputs[self._single.output]}
        if self.watch is not None:
            self.watch(name, inputs, outputs)
        self._state.leave(outputs, x.pictures, key)
        if key or self._key is None:
            self._age = 0
        else:  # with a codec's frames the method does not know the last key frame's number
            self._age = self._age + 1 if self._unless else x.index - self._key.index
        self._key, self._last = x if key else self._key, (x.clip, x.index)
        return Output(outputs, model.decode, x.size, model.graphs[name].kind, self._age)

    def _is_key(self, x: Input) -> bool:
        if self._unless is not None:
            key = self._unless not in x.side
            if not key and self._key is None:
                raise UserError(
                    f"a frame with {self._unless} follows no key frame",
                    where=self.name,
                    expected=f'a first frame without side["{self._unless}"]',
                )
            return key
        if self._key is None or self.schedule is None:
            return self.schedule is not None
        if isinstance(self.schedule, FixedInterval):
            return self.schedule.is_key(x.index, self._key.index)
        return self.schedule.is_key(x.index - self._key.index, change(x.thumbnail, self._key.thumbnail))

    def class_scores(self, y: Output) -> Tensor:
        return class_scores(y.decode, y.outputs)

    def class_labels(self, y: Output) -> UInt8:
        return class_labels(y.decode, y.outputs, y.size)

    def work(self, kind: Kind, size: Size) -> Work:
        """Return the count made on the exported method, or else on the graphs. size: of the frame

        Where a kind has several graphs, it is the mean of those that run to a clip's end.
        """
        self.check_kind(kind)
        model, _ = self._plan(size)
        names = [name for name, graph in model.graphs.items() if graph.kind == kind]
        regular = [name for name in names if (model.graphs[name].when.frames or (0, None))[1] is None] or names
        said = [model.graphs[name].gflops for name in regular]
        pictures = [one for one in model.graphs[regular[0]].inputs.values() if isinstance(one, FromPicture)]
        seen = model.picture_size(pictures[0].picture) if pictures else None
        if None not in said:
            counted = {"all": round(1e9 * fmean(one or 0 for one in said))}
            return Work(counted, f"as {model.method} was counted, from which it was exported", seen)
        shapes = {} if self._single is None else {self._single.image: self._single.shape(size)}
        found: Counter[str] = Counter()
        for name in regular:
            info = self.graphs[name]
            found.update(graph_macs.macs(info, shapes) | graph_macs.decode_macs(model.decode, info.outputs))
        whole = {operator: round(count / len(regular)) for operator, count in found.items()}
        return Work(whole, f"onnx {version('onnx')}, convolutions and products of the graph", seen)

    def parameter_counts(self) -> dict[str, int]:
        """Count the numbers in the graphs' initialisers: see `vssbench.deploy.graph_macs.parameters`."""
        return {"all": graph_macs.parameters(self.graphs)}


def _notes(model: ModelFile) -> Iterator[str]:
    """Yield what a reader must know about an exported method, one sentence each."""
    if model.parity:
        shares = ", ".join(
            f"{100 * one.equal:.2f} % of the pixels of {kind} frames" for kind, one in model.parity.items()
        )
        yield f"the labels equal those of {model.method} on {shares}, compared at export"
    else:
        yield f"its labels were not compared with those of {model.method}, from which it was exported"
    if model.precision == "int8":
        yield f"int8 ranges from {model.calibration or 'frames that model.yaml does not name'}"
    if model.kept_float:
        yield f"kept in floating point: {listed(model.kept_float, 5)}"


def _refuse(place: Path, why: str, **arguments: object) -> None:
    """Raise UserError for arguments that have no meaning for such a model."""
    if given := [name for name, value in arguments.items() if value is not None]:
        raise UserError(f"{given[0]}= does not apply here: {why}", where=place, fix="leave it out")


def _by(size: Size) -> str:
    return "x".join(map(str, size))
