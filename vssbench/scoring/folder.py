"""Score a folder of predictions, made by any program, against a dataset's labels.

Predictions are `<clip>/<frame stem>.png`, train ids from 0. Missing files are reported before anything is measured.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import count
from pathlib import Path

import cv2
import numpy as np

from vssbench import environment
from vssbench.bench.clip import ahead
from vssbench.bench.processes import in_processes
from vssbench.datasets.on_disk import FileDataset
from vssbench.datasets.prediction_files import check_files
from vssbench.datasets.read_pixels import read_prediction
from vssbench.datasets.strided import Strided
from vssbench.errors import UserError
from vssbench.hooks import side
from vssbench.load import load_dataset
from vssbench.metrics.accuracy.clip_metric import size
from vssbench.metrics.accuracy.clip_states import ClipScore
from vssbench.metrics.plan import check_side, looking, plan
from vssbench.types import Dataset, Frame, Prediction, UInt8

_FIX = "run again, perhaps with fewer --workers"
_NO_IMAGE = np.empty((0, 0, 3), np.uint8)
_NO_PREDICTION = Prediction(np.empty((0, 0), np.uint8), "key")


@dataclass(frozen=True)
class Submission:
    """What to score, in a form that can be sent to other processes.

    dataset, root, split: as for load_dataset;  predictions: folder;  metrics: metric strings
    """

    dataset: str
    root: Path | None
    split: str
    predictions: Path
    metrics: tuple[str, ...]

    def open(self) -> Dataset:
        return load_dataset(self.dataset, self.root, self.split)


def score(
    submission: Submission, workers: int = 1, advance: Callable[[str], None] = lambda clip: None
) -> list[ClipScore]:
    """Return the statistics of every clip, in the dataset's order; `advance` is called with each finished clip.

    Raises UserError for missing predictions (before anything is read), wrong sizes and unreadable files.
    """
    dataset = submission.open()
    plan(submission.metrics, dataset.space)
    check_side(submission.metrics, side(dataset), dataset.name)
    check_files(dataset, submission.predictions, every=bool(looking(submission.metrics)))
    threads = environment.cores() > workers
    clips = list(dataset.clips())
    outcomes = (
        in_processes(workers, partial(_worker, submission, threads), clips, _FIX)
        if workers > 1
        else zip(clips, map(_scoring(submission, dataset, threads), clips), strict=True)
    )
    found: dict[str, ClipScore] = {}
    for clip, scored in outcomes:
        found[clip] = scored
        advance(clip)
    return [found[clip] for clip in clips]


def _worker(submission: Submission, threads: bool) -> Callable[[str], ClipScore]:
    cv2.setNumThreads(1)
    return _scoring(submission, submission.open(), threads)


def _scoring(submission: Submission, dataset: Dataset, threads: bool) -> Callable[[str], ClipScore]:
    return lambda clip: score_clip(dataset, clip, submission.predictions, submission.metrics, threads)


def score_clip(dataset: Dataset, clip: str, predictions: Path, metrics: Sequence[str], threads: bool) -> ClipScore:
    """Return the statistics of one clip; memory does not grow with its length.

    Metrics see labels and predictions. If a metric looks at frames, they are read, and every frame needs a prediction.

    threads: decode labels and predictions in one thread each while this one counts; without idle cores, the threads
    would only slow things down
    """
    counting = plan(metrics, dataset.space)
    frames = labelled = 0
    looks = bool(looking(metrics))
    for frame, predicted in _predicted(_shown(dataset, clip, metrics), clip, predictions, looks, threads):
        frames += 1
        labelled += frame.labels is not None
        prediction = _NO_PREDICTION if predicted is None else Prediction(predicted, "key")
        for metric in counting:
            metric.update(frame, prediction)
    return ClipScore(clip, frames, labelled, {metric.name: metric.state() for metric in counting})


def _shown(dataset: Dataset, clip: str, metrics: Sequence[str]) -> Iterator[Frame]:
    """Return the frames as metrics see them; images, which take most of the time, are read only if a metric looks."""
    looks = looking(metrics)
    places: Iterable[int] = count()
    if looks:
        needs = any(metric.frame_needs(spec) for spec, metric in looks.items())
        if needs or not isinstance(dataset, FileDataset | Strided):
            return dataset.frames(clip)
        places = dataset.indices(clip)  # it needs to know which frames are consecutive
    return (
        Frame(clip, index, _NO_IMAGE, labels, stem=stem)
        for index, (stem, labels) in zip(places, dataset.labels(clip), strict=False)
    )


def _predicted(
    frames: Iterator[Frame], clip: str, predictions: Path, every: bool, threads: bool
) -> Iterator[tuple[Frame, UInt8 | None]]:
    """Return every frame with its prediction; unless `every`, none is read for frames without labels."""

    def with_predictions() -> Iterator[tuple[Frame, UInt8 | None]]:
        for frame in ahead(frames) if threads else frames:
            if frame.labels is None and not every:
                yield frame, None
                continue
            file = predictions / clip / f"{frame.stem}.png"
            predicted = read_prediction(file)
            shape = frame.image.shape[:2] if frame.labels is None else frame.labels.shape
            if shape not in (predicted.shape, _NO_IMAGE.shape[:2]):
                expected = f"{shape[0]}x{shape[1]}, the size of its {'frame' if frame.labels is None else 'labels'}"
                raise UserError(f"is {size(predicted)}", where=file, expected=expected)
            yield frame, predicted

    return ahead(with_predictions()) if threads else with_predictions()
