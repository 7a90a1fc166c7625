"""Does a method return the same labels for the same frames twice? If not, its numbers hold for one run only."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from vssbench.bench.clip import run_frame
from vssbench.errors import UserError, blaming
from vssbench.types import Frame, Method, UInt8


def caveat(method: Method, frames: Sequence[Frame]) -> str | None:
    """Return what a reader must know about a method whose labels differ from run to run; None if they do not.

    frames: the first frames of a clip
    """
    try:
        first, second = _labels(method, frames), _labels(method, frames)
    except UserError as error:
        return f"fails on frames that it answered before: {error.brief}"
    shares = [100 * np.mean(one != other) for one, other in zip(first, second, strict=True)]
    if not any(shares):
        return None
    return (
        f"gives different answers from run to run: of {len(shares)} frames of clip {frames[0].clip}, run twice, "
        f"{np.mean(shares):.2f} % of the pixels got a different label; these numbers hold for one run only"
    )


def _labels(method: Method, frames: Sequence[Frame]) -> list[UInt8]:
    with blaming(method.name, f"clip {frames[0].clip!r}"):
        method.reset()
    return [run_frame(method, frame)[0].labels.copy() for frame in frames]
