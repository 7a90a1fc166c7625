"""Checks of names: files left out because of them, names that are not text, clips in two splits or in none."""

from __future__ import annotations

from collections.abc import Iterator

from vssbench.datasets.doctor.report import Finding
from vssbench.datasets.listing import visible
from vssbench.datasets.on_disk import FileDataset, Listing
from vssbench.errors import UserError, listed
from vssbench.types import Dataset

UNREAD = frozenset((".tif", ".tiff", ".gif", ".ppm", ".pgm", ".jp2", ".heic", ".avif", ".exr"))
"""Suffixes of pictures that no dataset here reads."""
SHOWN = 5


def odd_names(dataset: FileDataset, clip: str, listing: Listing) -> Iterator[Finding]:
    """Yield files of a clip that are left out because of their names, and those whose names are not UTF-8."""
    first = listing.items[0].image
    left_out = [path.name for path in visible(first.parent) if path.suffix.lower() in UNREAD]
    left_out += [path.name for path in dataset.nearly(clip)]
    if left_out:
        yield Finding(
            clip,
            str(first.parent),
            f"files left out because of their names: {len(left_out)} ({listed(sorted(left_out), SHOWN)})",
            f"frames named like {first.name}",
            "rename, convert or move them",
        )
    paths = [path for item in listing.items for path in (item.image, item.label) if path is not None]
    odd = [path for path in (*paths, *listing.orphans) if not _is_text(path.name)]
    if not _is_text(clip):
        odd.append(first.parent)
    if odd:
        yield Finding(
            clip,
            str(odd[0]),
            f"names that are not UTF-8: {len(odd)}, such as {odd[0].name}",
            "names that every file system and every result file can hold",
            "rename them, with convmv or in the program that wrote them",
        )


def splits(dataset: Dataset) -> tuple[list[Finding], list[str]]:
    """Findings: clips in two splits, which would be both trained and measured on; and notes: clips in none."""
    findings: list[Finding] = []
    notes: list[str] = []
    if not isinstance(dataset, FileDataset):
        return findings, notes
    for other in dataset.splits:
        try:
            both = [] if other == dataset.split else dataset.shared(other)
        except UserError as error:  # its list is missing: a user with only one split does not need the others
            notes.append(f"not compared with the split {other!r}: {error.what.splitlines()[0]}")
            continue
        if both:
            findings.append(
                Finding(
                    None,
                    str(dataset.root),
                    f"clips in both {dataset.split} and {other}: {len(both)} ({listed(both, SHOWN)})",
                    "each clip in one split",
                    "remove them from one split: a network trained on a clip has seen it",
                )
            )
    if not notes and (unlisted := dataset.unlisted()):
        notes.append(f"clips in no split: {len(unlisted)} ({listed(unlisted, SHOWN)})")
    return findings, notes


def _is_text(name: str) -> bool:
    try:
        name.encode()
    except UnicodeEncodeError:  # bytes that are not UTF-8 are represented as surrogates
        return False
    return True
