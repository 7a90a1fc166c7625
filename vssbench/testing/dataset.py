"""The kit for datasets: checks of what the runner, `score` and `export` rely on."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path, PurePath
from typing import Any

import numpy as np

from vssbench import hooks
from vssbench.errors import counted
from vssbench.testing.findings import Findings, Report
from vssbench.testing.made_clips import equal_labels, same
from vssbench.types import IGNORE, Dataset, Frame, LabelSpace


def check_dataset(dataset: Dataset, limit: int = 3) -> Report:
    """Return what was checked, or raise CheckFailed with everything that breaks the dataset's contract.

    dataset: the dataset, opened
    limit:   how many clips are read completely; the names of all are checked

    Checked: the label space; clip names are unique, sorted and usable as folder names; stems are unique and those of
    the frames; indices rise from 0; dtypes, shapes, train ids; one size per clip; `labels()` equals the frames' labels;
    reading twice, or by two readers at a time, returns the same; hooks beyond the protocol agree with the frames.
    """
    findings = Findings(str(getattr(dataset, "name", type(dataset).__name__)))
    with findings.check("attributes"):
        missing = hooks.lacking(dataset, Dataset)
        findings.expect(not missing, f"lacks {', '.join(missing)}")
    if findings.failures:
        return findings.finish()
    with findings.check("label space"):
        _space(findings, dataset.space)
    clips: list[str] = []
    with findings.check("clip names"):
        clips = list(dataset.clips())
        _clips(findings, clips)
    for clip in clips[:limit]:
        with findings.check(f"clip {clip!r}"):
            _clip(findings, dataset, clip)
    if not findings.failures:
        with findings.check("hooks"):
            _hooks(findings, dataset, clips[0])
    return findings.finish()


def _space(findings: Findings, space: Any) -> None:
    if not findings.expect(isinstance(space, LabelSpace), f"space is {type(space).__name__}, expected a LabelSpace"):
        return
    for field, shape, dtype in (
        ("colours", (space.classes, 3), np.uint8),
        ("from_file", (256,), np.uint8),
        ("to_file", (space.classes,), np.uint8),
        ("known", (256,), np.bool_),
    ):
        array = getattr(space, field)
        right = isinstance(array, np.ndarray) and array.shape == shape and array.dtype == dtype
        if not findings.expect(right, f"{field} is {_kind(array)}, expected {np.dtype(dtype).name}{list(shape)}"):
            return
    ids = space.from_file[space.from_file != IGNORE]
    findings.expect(bool((ids < space.classes).all()), f"from_file has train ids beyond {space.classes - 1}")
    if not space.from_colour:  # colour masks are written by colour
        back = space.from_file[space.to_file]
        findings.expect(np.array_equal(back, np.arange(space.classes)), f"to_file, read back, is {back.tolist()}")


def _clips(findings: Findings, clips: list[str]) -> None:
    findings.expect(bool(clips), "there are none")
    findings.expect(len(set(clips)) == len(clips), "some occur twice")
    findings.expect(clips == sorted(clips), "they are not sorted")
    odd = [clip for clip in clips if not clip or PurePath(clip).is_absolute() or ".." in PurePath(clip).parts]
    findings.expect(not odd, f"cannot be folder names: {odd[:3]}")


def _clip(findings: Findings, dataset: Dataset, clip: str) -> None:
    stems = list(dataset.stems(clip))
    findings.expect(bool(stems), "there are no frames")
    findings.expect(len(set(stems)) == len(stems), "some stems occur twice")
    size = None
    count, before = 0, -1
    readers = zip(dataset.frames(clip), dataset.frames(clip), dataset.labels(clip), strict=True)
    for index, (frame, again, (stem, labels)) in enumerate(readers):
        count += 1
        wanted = stems[index] if index < len(stems) else None
        size = size or frame.image.shape
        faults = [*_frame(frame, dataset.space.classes, size)]
        placed = frame.index > before and (index or frame.index == 0)
        if (frame.clip, frame.stem) != (clip, wanted) or not placed:
            faults.append(
                f"is clip {frame.clip!r}, index {frame.index}, stem {frame.stem!r}; its stem should be {wanted!r}"
            )
        before = frame.index
        if not same(frame, again):
            faults.append("differs when it is read again")
        if stem != wanted or not equal_labels(labels, frame.labels):
            faults.append(
                f"labels() returns {stem!r} with {_kind(labels)}, frames() {frame.stem!r} with {_kind(frame.labels)}"
            )
        if faults:
            findings.failures.extend(f"frame {index} {fault}" for fault in faults)
            return  # the next frames have the same fault
    findings.expect(count == len(stems), f"frames() returns {counted(count, 'frame')}, stems() names {len(stems)}")


def _hooks(findings: Findings, dataset: Dataset, clip: str) -> None:
    """Check that what the dataset offers beyond its protocol (`vssbench.hooks`) agrees with its frames."""
    findings.failures.extend(fault.sentence for fault in hooks.faults(dataset, hooks.DATASET))
    if findings.failures:
        return
    frames = list(dataset.frames(clip))
    absent = sorted(hooks.side(dataset) - {name for frame in frames for name in frame.side})
    findings.expect(not absent, f"side names {', '.join(absent)}, which no frame of clip {clip!r} has")
    labelled = [place for place, frame in enumerate(frames) if frame.labels is not None]
    said = hooks.labelled(dataset, clip)
    findings.expect(
        said == labelled, f"labelled({clip!r}) is {said}, frames {', '.join(map(str, labelled))} have labels"
    )
    last = len(frames) - 1
    alone = replace(hooks.frame(dataset, clip, last), side={})  # it may lack side inputs that need other frames
    known = same(replace(frames[last], side={}), alone)
    findings.expect(known, f"frame({clip!r}, {last}) differs from the frame that frames() returns")
    digests = hooks.offered(dataset, "digests")
    agree = digests is None or list(digests(clip)) == [(frame.stem, frame.digests) for frame in frames]
    findings.expect(agree, f"digests({clip!r}) differ from those of the frames")
    video = hooks.video(dataset, clip)
    usable = video is None or (isinstance(video, Path) and video.is_file())
    findings.expect(usable, f"video({clip!r}) returns {video!r}, expected a path of a file, or None")


def _frame(frame: Frame, classes: int, size: tuple[int, ...]) -> list[str]:
    image, labels, faults = frame.image, frame.labels, []
    if image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != 3:
        faults.append(f"has an image of {_kind(image)}, expected uint8[H, W, 3]")
    if image.shape != size:
        faults.append(f"is {list(image.shape)}, the first frame {list(size)}")
    if labels is None:
        return faults
    if labels.dtype != np.uint8 or labels.shape != image.shape[:2]:
        faults.append(f"has labels of {_kind(labels)}, expected uint8{list(image.shape[:2])}")
    odd = sorted({int(value) for value in np.unique(labels) if value >= classes and value != IGNORE})
    if odd:
        faults.append(f"has train ids {odd[:5]}, expected 0 to {classes - 1} or {IGNORE}")
    return faults


def _kind(array: Any) -> str:
    return f"{array.dtype}{list(array.shape)}" if isinstance(array, np.ndarray) else str(type(array).__name__)
