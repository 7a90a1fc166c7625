"""Check a dataset before spending hours on it: every file is read as in a run, and no fault hides the next.

Looks for missing and unreadable files, frames and masks that do not pair, colour masks where indices are expected,
values that are unknown or known to be stray, sizes that differ, gaps in the frame numbers, repeated pictures, and
counts that differ from the release's; `names` checks file names and splits.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from hashlib import blake2b
from itertools import pairwise
from pathlib import Path

import numpy as np

from vssbench.datasets.doctor import names
from vssbench.datasets.doctor.report import Finding, Occurrence, Report
from vssbench.datasets.listing import gaps
from vssbench.datasets.on_disk import FileDataset, Item, Size, check_size
from vssbench.datasets.read_pixels import Meaningless, Values, orientation, read_image
from vssbench.environment import cores
from vssbench.errors import UserError, counted
from vssbench.hooks import offered
from vssbench.types import IGNORE, Dataset, LabelSpace, UInt8

VOID_MOSTLY, VOID_COMMONEST, COMMONEST = 0.5, 0.15, 3
"""Void is too common from the first share on, or from the second if it is among the commonest classes (this many).
CamVid has 2 to 4 %."""
COMPLETE = "complete the download, or state next to your numbers that only part of it was measured"


@dataclass(frozen=True, slots=True)
class _Seen:
    """The outcome of reading one item.

    picture: digest of the frame's pixels, None where it could not be read
    pixels:  int64[256] by train id, None where no label could be read
    """

    item: Item
    turned: bool
    picture: bytes | None
    size: Size | None
    label_size: Size | None
    pixels: np.ndarray | None
    stray: frozenset[int]
    meaningless: Values
    errors: tuple[UserError, ...]


def examine(dataset: Dataset, advance: Callable[[str], None] = lambda clip: None) -> Report:
    """Read everything once. advance: called with each clip's name when it is done."""
    report = Report(dataset.name, offered(dataset, "split") or "", dataset.space)
    for clip in dataset.clips():
        report.clips += 1
        try:
            if isinstance(dataset, FileDataset) and not dataset.opaque(clip):
                _check_files(dataset, clip, report)
            else:
                _check_frames(dataset, clip, report)
        except UserError as error:
            report.findings.append(Finding.of(error, clip))
        except OSError as error:  # a folder that cannot be listed
            report.findings.append(Finding(clip, str(error.filename), f"cannot be read: {error.strerror}"))
        advance(clip)
    report.findings += _numbering(report)
    findings, notes = names.splits(dataset)
    report.findings += findings
    report.notes += notes
    if report.turned:
        report.notes.append(f"rotated by their Exif orientation, as viewers do: {counted(report.turned, 'frame')}")
    if isinstance(dataset, FileDataset):
        _compare_release(dataset, report)
    return report


def _check_files(dataset: FileDataset, clip: str, report: Report) -> None:
    """Check every file of a clip, in parallel; all faults are kept."""
    listing = dataset.listing(clip)
    report.findings += _pairing(dataset, clip)
    report.findings += names.odd_names(dataset, clip, listing)
    with ThreadPoolExecutor(min(4, cores())) as pool:
        seen = list(pool.map(partial(_see, dataset), listing.items))
    sizes = Counter(one.size for one in seen if one.size)
    usual = sizes.most_common(1)[0][0] if sizes else None
    for one in seen:
        report.frames += 1
        report.turned += one.turned
        _count(report, one.size, one.pixels)
        report.findings += [Finding.of(error, clip) for error in (*one.errors, *_faults(one, usual, dataset.space))]
        _count_values(report, clip, one)
    report.findings += _repeated(clip, seen)


def _see(dataset: FileDataset, item: Item) -> _Seen:
    size = label_size = pixels = picture = None
    errors: list[UserError] = []
    turned, stray, meaningless = False, frozenset[int](), Values()
    try:
        image = read_image(item.image)
        size, picture = image.shape[:2], blake2b(image.tobytes(), digest_size=16).digest()
        turned = orientation(item.image) > 1
    except UserError as error:
        errors.append(error)
    if item.label:
        try:
            labels, stray = dataset.read_label(item.label)
            label_size, pixels = labels.shape, _histogram(labels)
        except UserError as error:
            errors.append(error)
            if isinstance(error, Meaningless):
                meaningless = error.values
                error.forget()
    return _Seen(item, turned, picture, size, label_size, pixels, stray, meaningless, tuple(errors))


def _faults(one: _Seen, usual: Size | None, space: LabelSpace) -> Iterator[UserError]:
    """Yield faults that only show in comparison with the other file or the other frames."""
    for label_size, previous in ((one.label_size, None), (None, usual)):
        try:
            if one.size:
                check_size(one.item, one.size, label_size, previous)
        except UserError as error:
            yield error
    if one.stray:
        yield UserError(
            f"stray label value {', '.join(map(str, sorted(one.stray)))}",
            where=one.item.label,
            expected=f"values that {space.name} documents",
            fix="nothing to do: these pixels are read as void; say so when you compare with other programs",
        )


def _count_values(report: Report, clip: str, one: _Seen) -> None:
    """Count values without a meaning, over all files."""
    for value, (pixels, (row, column)) in one.meaningless.items():
        assert one.item.label is not None
        found = report.meaningless.setdefault(value, Occurrence(clip, one.item.label, row, column))
        found.pixels += pixels
        found.files += 1


def _repeated(clip: str, seen: list[_Seen]) -> Iterator[Finding]:
    """Yield frames that show the same pixels as the frame before."""
    again = [after.item for before, after in pairwise(seen) if before.picture and before.picture == after.picture]
    if again:
        first = "; this is the first" if len(again) > 1 else ""
        yield Finding(
            clip,
            str(again[0].image),
            f"{len(again)} of {len(seen)} frames have the same pixels as the frame before{first}",
            "a new picture in every frame",
            "extract the frames at the video's own rate; if the video itself repeats frames, there is nothing to do, "
            "but methods that carry results from frame to frame benefit",
        )


def _pairing(dataset: FileDataset, clip: str) -> Iterator[Finding]:
    """Yield label files without a frame, frames without a label, and frames missing between others."""
    listing = dataset.listing(clip)
    for path in listing.orphans:
        yield Finding(clip, str(path), "a label file without its frame", "the frame of the same name", COMPLETE)
    for path in listing.unlabelled:
        yield Finding(clip, str(path), "a frame without its label file", "a label file of the same name", COMPLETE)
    folder = listing.items[0].image.parent
    for before, after in gaps([item.stem for item in listing.items]):
        yield Finding(
            clip, str(folder), f"frames are missing between {before} and {after}", "evenly spaced frames", COMPLETE
        )


def _check_frames(dataset: Dataset, clip: str, report: Report) -> None:
    """Check a clip that is not made of single files: it is read until reading fails."""
    for frame in dataset.frames(clip):
        report.frames += 1
        _count(report, frame.image.shape[:2], None if frame.labels is None else _histogram(frame.labels))


def _count(report: Report, size: Size | None, pixels: np.ndarray | None) -> None:
    if size:
        report.sizes["x".join(map(str, size))] += 1
    if pixels is not None:
        report.labelled += 1
        report.pixels += pixels
        report.occurs += pixels > 0


def _histogram(labels: UInt8) -> np.ndarray:
    return np.bincount(labels.ravel(), minlength=256)


def _numbering(report: Report) -> Iterator[Finding]:
    """Report too much void: label files in a different numbering look like this, because their values are valid too."""
    void = int(report.pixels[IGNORE])
    share = void / max(1, int(report.pixels.sum()))
    more = int((report.pixels[: report.space.classes] > void).sum())
    if (share >= VOID_COMMONEST and more < COMMONEST) or share >= VOID_MOSTLY:
        never = int((report.occurs[: report.space.classes] == 0).sum())
        rest = f", and {never} of {report.space.classes} classes never occur" if never else ""
        yield Finding(
            None,
            report.dataset,
            f"{100 * share:.1f} % of the labelled frames' pixels are void{rest}",
            f"label files in the numbering of {report.space.name}, in which void is rare",
            "check the values of a label file: train ids in files named differently, or values reduced by 1, are read "
            "as void; if the labels are sparse, there is nothing to do",
        )


def _compare_release(dataset: FileDataset, report: Report) -> None:
    """Compare counts with what the split should hold."""
    try:
        release = report.release = dataset.release()
    except UserError as error:
        report.findings.append(Finding.of(error, None))
        return
    if release is None:
        report.notes.append(
            f"no release of {dataset.name} is known for the split {dataset.split!r}: counts not compared"
        )
        return
    for what, found, expected in (
        ("clips", report.clips, release.clips),
        ("frames", report.frames, release.frames),
        ("labelled frames", report.labelled, release.labelled),
    ):
        if expected is None or found == expected:
            continue
        if what == "frames" and 0 < expected - found <= release.lacking:
            report.notes.append(
                f"{found} frames, {expected} in the paper: the published download lacks at least as many "
                f"({release.source})"
            )
            continue
        wanted = f"{expected} ({release.source})"
        report.findings.append(Finding(None, str(dataset.root), f"{found} {what}", wanted, COMPLETE))
    if release.clip_frames is not None:
        report.findings += _lengths(dataset, release.clip_frames)


def _lengths(dataset: FileDataset, expected: int) -> Iterator[Finding]:
    """Yield clips whose length differs from that of all clips of the release."""
    for clip in dataset.clips():
        try:
            items = dataset.listing(clip).items
        except UserError:
            continue  # reported when the clip was read
        if len(items) != expected:
            where = str(Path(items[0].image).parent)
            yield Finding(clip, where, f"{counted(len(items), 'frame')} in the clip", f"{expected} frames", COMPLETE)
