"""What a training learns from, as two numbers: digests of the frames and labels of clips spread over the data."""

from __future__ import annotations

from typing import Any

from vssbench.datasets.digest import ClipDigest, named_digests
from vssbench.training.clips import Clips

COMPARED = 64
"""Clips whose bytes are read: all of a small set, and of VSPW's 2806 some 600 MB, not 25 GB before each start."""


def data_digest(clips: Clips, most: int = COMPARED) -> dict[str, Any]:
    """{"clips": "64 of 2806", "frames", "labels"}: of every frame of so many clips, evenly spread, the first included.

    The same data gives the same digests wherever it lies. Data replaced as a whole is always found; a change in few
    of more clips than are compared may not be.
    """
    count = min(most, len(clips.names))
    found = ClipDigest()
    for number in range(count):
        clip = clips.names[number * len(clips.names) // count]
        for stem, read in named_digests(clips.dataset, clip):
            found.add(f"{clip}/{stem}", read)
    return {"clips": f"{count} of {len(clips.names)}", **found.record()}
