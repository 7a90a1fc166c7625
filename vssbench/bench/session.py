"""A run spec as it is carried out in one process: the dataset, its clips, and one method at a time."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial
from itertools import islice
from typing import NamedTuple

from vssbench import environment
from vssbench.bench.clip import ahead, run_clip
from vssbench.bench.spec import RunSpec
from vssbench.bench.streaming.clip import run_stream
from vssbench.datasets.codec import CodecSpec, Compressed, codec_for
from vssbench.datasets.digest import ClipDigest, clip_digest, files_digest
from vssbench.datasets.fingerprint import Fingerprint, digest
from vssbench.datasets.key_distances import ByIndex, Distances
from vssbench.datasets.on_disk import FileDataset
from vssbench.datasets.strided import Strided, frame_rate
from vssbench.errors import UserError, blaming, listed
from vssbench.hooks import layers, side, usable
from vssbench.load import Context, innermost, load_dataset
from vssbench.metrics.accuracy.protocols import default_protocol, find
from vssbench.metrics.plan import check_side, looking, plan
from vssbench.results.kept_frames import Draw, KeptClip
from vssbench.results.record import ClipRecord, DatasetInfo
from vssbench.results.streaming import Camera, StreamRecord
from vssbench.specs import Spec, parse
from vssbench.types import Dataset, Frame, Method


class Task(NamedTuple):
    """A method and the name of a clip. camera: shows it at a frame rate; None: every frame is run and scored."""

    method: Spec
    clip: str
    camera: Camera | None = None


class Ran(NamedTuple):
    """The outcome of one clip under one method. kept: its drawn frames; None where no frame of the clip is kept."""

    record: ClipRecord
    kept: KeptClip | None


class Streamed(NamedTuple):
    """The outcome of one clip under one method at one frame rate."""

    record: StreamRecord


class Failed(NamedTuple):
    """One clip that was left out, and why in one line."""

    clip: str
    reason: str


Outcome = Ran | Streamed | Failed
"""The outcome of a task."""


class Bench:
    """A dataset with its clips, and one method at a time.

    lengths:    frames of each clip of the run, in order; clips of the split beyond `limit` are left out
    unreadable: clip -> why its frames cannot be listed; empty unless failing clips are skipped
    lacking:    clip -> where frames are missing, in words
    machines:   the processors of the cluster's workers that ran clips; empty where there was no cluster
    """

    def __init__(self, spec: RunSpec, listed: bool = True):
        """Raises UserError for a dataset that is missing or has no clips.

        listed: False in a worker, which is told what to run: no clip is listed in advance, and `lengths` is empty
        """
        environment.set_threads(spec.threads)
        self.spec = spec
        self.dataset = load_dataset(spec.dataset, spec.data_root, spec.split, spec.threads)
        self._rate = frame_rate(self.dataset)
        self._strided = self.dataset if isinstance(self.dataset, Strided) else None
        limit = spec.limit
        if spec.distances is not None:
            self.dataset, limit = Distances(self.dataset, spec.distances, limit), None
        self.unreadable: dict[str, str] = {}
        self.lacking: dict[str, list[str]] = {}
        self.machines: list[str] = []
        self.lengths: dict[str, int] = {}
        self._listed, self._fingerprint = 0, Fingerprint()
        for clip in islice(self.dataset.clips(), limit if listed else 0):
            stems = self._list(clip)
            if isinstance(stems, Failed):
                self.unreadable[clip] = stems.reason
            else:
                self.lengths[clip] = len(stems)
                if isinstance(self.dataset, FileDataset | Strided) and (lacking := self.dataset.lacking(clip, stems)):
                    self.lacking[clip] = lacking
        self._digests: dict[str, dict[str, str]] = {}
        self._current: tuple[Spec, Method] | None = None
        if listed and not self.lengths and not self.unreadable:
            raise UserError(
                f"the split {spec.split!r} of {spec.dataset} has no clips", fix="vssbench doctor shows what is there"
            )
        self._draw = Draw(self.dataset.clips(), spec.keep_frames)

    @property
    def context(self) -> Context:
        """The context that every method of the run is built with."""
        return Context(self.dataset.space, self.spec.device, self.spec.checkpoint, self.spec.threads)

    def load(self, spec: Spec) -> Method:
        """Load a fresh method with the run's label space, device and checkpoints.

        Raises UserError where the dataset lacks what the method or the metrics need, or the method looks ahead.
        """
        method = self.context.load(spec)
        missing = sorted(set(method.needs) - {"labels"} - side(self.source(method)))
        if missing:
            raise UserError(f"{spec} needs {', '.join(missing)}, which {self.dataset.name} does not provide")
        source = self.source(method)
        check_side(self.spec.metrics, side(source), source.name)
        if method.lookahead:
            raise UserError(
                f"{spec} looks {method.lookahead} frames ahead",
                expected="a causal method: a run streams frames one by one",
            )
        return method

    def codec(self, method: Method) -> CodecSpec | None:
        """Return how this method's frames are compressed; None: not at all."""
        codec = codec_for(method, self.spec.codec, innermost(parse(self.spec.dataset)).name, self._rate)
        furthest = max(self.spec.distances or [0])
        if codec is not None and codec.codec.gop <= furthest:
            raise UserError(
                f"a group of {codec.codec.gop} frames has no frame {furthest} after its key frame",
                where="--distances",
                expected=f"at most {codec.codec.gop - 1}",
                fix=f"--codec 'h264(gop={furthest + 1})'",
            )
        return codec

    def source(self, method: Method) -> Dataset:
        """Return where this method's frames come from: the dataset, or the dataset through the codec."""
        codec = self.codec(method)
        return self.dataset if codec is None else Compressed(self.dataset, codec)

    def _stems(self, clip: str) -> Sequence[str] | Failed:
        """Return the names of a clip's frames. Returns Failed only where failing clips are skipped."""
        try:
            with blaming(self.dataset.name, f"clip {clip!r}"):
                stems = self.dataset.stems(clip)
            if not stems:
                raise UserError(f"the clip {clip!r} of {self.dataset.name} has no frames")
            if any(0xD800 <= ord(letter) < 0xE000 for name in (clip, *stems) for letter in name):
                raise UserError("a name that is not UTF-8", where=f"clip {clip!r}", fix="rename the clip or its frames")
        except UserError as error:
            if self.spec.on_error != "skip-clip":
                raise
            return Failed(clip, error.brief)
        return stems

    def _list(self, clip: str) -> Sequence[str] | Failed:
        """Return the same for the next clip in order, and add it to the fingerprint."""
        stems = self._stems(clip)
        names = [] if isinstance(stems, Failed) else stems
        self._fingerprint.add(clip, names)
        self._listed += 1
        return stems

    def run(self, task: Task, tick: Callable[[], None] = lambda: None) -> Outcome:
        """Run one task, and keep the method for the next one. Returns Failed unless `on_error` is "stop"."""
        spec, clip, camera = task
        try:
            with blaming(f"{spec} on {self.dataset.name}", f"clip {clip!r}"):  # datasets and metrics may be plug-ins
                return self._run(spec, clip, tick) if camera is None else self._stream(spec, clip, camera, tick)
        except UserError as error:
            if self.spec.on_error == "stop":
                raise
            self.close()  # so that nothing left behind by the failure affects the next clip
            return Failed(clip, error.brief)

    def _run(self, spec: Spec, clip: str, tick: Callable[[], None]) -> Ran:
        method = self._kept(spec)
        metrics = plan(self.spec.metrics, self.dataset.space)
        if self.spec.distances is not None:
            metrics = [ByIndex(metric) for metric in metrics]
        digest = ClipDigest()
        frames = ahead(digest.noting(self.source(method).frames(clip)))
        watch = self._draw.watch(clip, self.dataset.space)
        record = run_clip(method, clip, _ticking(frames, tick), metrics, self._bound(), watch)
        record.files = digest.record() | self._read_by(method, clip)
        if isinstance(self.dataset, Distances):
            record.cut_from = self.dataset.cut_from(clip)
        return Ran(record, watch.kept() if watch else None)

    def _stream(self, spec: Spec, clip: str, camera: Camera, tick: Callable[[], None]) -> Streamed:
        method = self._kept(spec)
        source = self.source(method)
        frames = partial(source.frames, clip)
        return Streamed(run_stream(method, clip, frames, self.dataset.space, self._bound(), camera, tick))

    def _kept(self, spec: Spec) -> Method:
        """Return the method of the last task, or load this one in its place."""
        if self._current is None or self._current[0] != spec:
            self._current = None  # frees its memory before the next one is built
            self._current = (spec, self.load(spec))
        return self._current[1]

    def files(self, method: Method, clip: str) -> dict[str, str]:
        """Return `ClipRecord.files` for the files as they are now; the clip is read once for all methods."""
        if clip not in self._digests:
            self._digests[clip] = clip_digest(self.dataset, clip).record()
        return self._digests[clip] | self._read_by(method, clip)

    def _read_by(self, method: Method, clip: str) -> dict[str, str]:
        """Return digests of the files that the method and the metrics read for a clip, if they read any."""
        readers = [read for layer in layers(method) if (read := usable(layer, "clip_files"))]
        files = [file for read in readers for file in read(clip, self.dataset.stems(clip))]
        found = {"predictions": files_digest(files)} if files else {}
        stems = self.dataset.stems(clip)
        shown = [file for spec, one in looking(self.spec.metrics).items() for file in one.clip_files(spec, clip, stems)]
        return found | ({"metrics": files_digest(shown)} if shown else {})

    def _bound(self) -> int:
        """Return what predicted ids must be below; most official scripts take any id and treat it in their own way."""
        strict = find(self.spec.protocol or default_protocol(innermost(parse(self.spec.dataset)).name)).strict
        return self.dataset.space.classes if strict else 256

    def caveats(self) -> list[str]:
        """Return what is particular about the frames that were run, and about where they ran."""
        caveats = []
        if self.spec.engine == "ray":
            caveats.append("accuracy over a Ray cluster; speed and cost on the driver's machine, with no clips running")
        if len(self.machines) > 1:
            caveats.append(
                f"clips ran on different processors, which may change the last digits: {', '.join(self.machines)}"
            )
        if self.lacking:
            one, where = next(iter(self.lacking.items()))
            caveats.append(
                f"frames are missing in {len(self.lacking)} of {len(self.lengths)} clips ({one}: {listed(where, 3)}); "
                "the others keep the places given by their numbers, so key frames and the distances to them stay "
                "where they were (the next frame makes up for a missing key frame); windows of VC, references and the "
                "codec count the frames that are there"
            )
        if self._strided is not None and (note := self._strided.note(self._sources())):
            caveats.append(note)
        missing = self.dataset.missing if isinstance(self.dataset, Distances) else {}
        lacking = ", ".join(f"{count} at d={distance}" for distance, count in missing.items() if count)
        if lacking:
            caveats.append(f"labelled frames with too few frames before them do not count: {lacking}")
        return caveats

    def _sources(self) -> list[str]:
        """Return the dataset's clips that were run, or that parts were cut from."""
        cut = self.dataset
        return list(dict.fromkeys(map(cut.cut_from, self.lengths)) if isinstance(cut, Distances) else self.lengths)

    def close(self) -> None:
        """Let go of the last method."""
        self._current = None

    def describe(self) -> DatasetInfo:
        """Return what the run measures on; the fingerprint covers all clips of the split, whatever the limit."""
        for clip in islice(self.dataset.clips(), self._listed, None):
            self._list(clip)
        space = self.dataset.space
        return DatasetInfo(
            spec=self.spec.dataset,
            split=self.spec.split,
            labels=space.name,
            classes=list(space.names),
            clips=len(self.lengths),
            frames=sum(self.lengths.values()),
            labelled=0,
            fingerprint=self._fingerprint.hexdigest(),
            names=list(self.lengths),
            cut_from=self._cut_from(self.lengths),
        )

    def _cut_from(self, clips: Iterable[str]) -> int | None:
        """Return how many of the dataset's clips these are parts of; None where they are whole clips."""
        return len({*map(self.dataset.cut_from, clips)}) if isinstance(self.dataset, Distances) else None

    def without(self, info: DatasetInfo, failed: Mapping[str, str]) -> DatasetInfo:
        """Return `describe` without the clips that failed; its fingerprint tells it apart from the whole.

        Such clips count for no method: all rows of one table are measured on the same clips. Raises UserError where
        no clip is left.
        """
        if not failed:
            return info
        names = [clip for clip in self.lengths if clip not in failed]
        if not names:
            clip, reason = next(iter(failed.items()))
            raise UserError(f"every clip failed, for example {clip!r}: {reason}", where=self.spec.dataset)
        frames = sum(self.lengths[clip] for clip in names)
        changes = {"clips": len(names), "frames": frames, "names": names, "cut_from": self._cut_from(names)}
        return info.model_copy(update=changes | {"fingerprint": digest([info.fingerprint, *sorted(failed)])})


def _ticking(frames: Iterator[Frame], tick: Callable[[], None]) -> Iterator[Frame]:
    for frame in frames:
        yield frame
        tick()
