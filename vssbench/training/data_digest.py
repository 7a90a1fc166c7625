"""Two digests of a training's data: of the frames and of the labels of clips spread over the dataset."""

from __future__ import annotations

from typing import Any

from vssbench.datasets.digest import ClipDigest, named_digests
from vssbench.training.clips import Clips

COMPARED = 64
"""The most clips whose bytes are read: all of a small set, but 600 MB of VSPW's 25 GB (2806 clips) at each start."""


def data_digest(clips: Clips, most: int = COMPARED) -> dict[str, Any]:
    """Return {"clips": "64 of 2806", "frames", "labels"}: digests of all frames of `most` evenly spread clips.

    The first clip is included. The same data has the same digests in any place. Data replaced as a whole is always
    detected; if there are more clips than are compared, a change in a few of them may not be.
    """
    count = min(most, len(clips.names))
    found = ClipDigest()
    for number in range(count):
        clip = clips.names[number * len(clips.names) // count]
        for stem, read in named_digests(clips.dataset, clip):
            found.add(f"{clip}/{stem}", read)
    return {"clips": f"{count} of {len(clips.names)}", **found.record()}
