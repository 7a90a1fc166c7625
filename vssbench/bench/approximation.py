"""Compare a method whose options trade digits for speed with the method as published, on the same frames.

A run reports this for `mpvss(dtype=bf16)`, for example. It looks at one clip only; for an accuracy with its interval,
put both methods in the run.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from vssbench import hooks
from vssbench.bench.clip import run_clip
from vssbench.metrics.accuracy.confusion import Confusion
from vssbench.metrics.accuracy.evaluate import evaluate
from vssbench.results.record import ClipRecord
from vssbench.specs import INSIDE, Spec, parse
from vssbench.types import Frame, LabelSpace, Method

PUBLISHED: dict[str, object] = {"dtype": "float32", "compile": False, "decode": "exact"}
"""Arguments of methods that have a network, each with the value that changes nothing."""


def published(spec: Spec, method: Method) -> Spec:
    """Return the spec without such options, here and in its inner methods; the spec itself where it has none.

    method: what was loaded from the spec; arguments of a method without `numerics` are left as they are
    """
    args = dict(spec.args)
    if hooks.usable(method, "numerics") is not None:
        args = {key: value for key, value in args.items() if value == PUBLISHED.get(key, value)}
    for name in INSIDE:
        within, named = hooks.named_by(method, name), args.get(name)
        if within is not None and isinstance(named, Spec | str):
            args[name] = published(parse(named), within)
    return Spec(spec.name, tuple(args.items()), spec.at)


def difference(method: Method, plain: Method, frames: Sequence[Frame], space: LabelSpace) -> str:
    """Return one sentence: the share of pixels with the same label, and mIoU (protocol `exact`) if there are labels.

    frames: the first frames of a clip
    """
    clip = frames[0].clip
    records, maps = zip(*(_run(one, clip, frames, space) for one in (method, plain)), strict=True)
    same = 100 * np.mean([np.mean(ours == theirs) for ours, theirs in zip(*maps, strict=True)])
    text = f"{same:.2f} % of the pixels of {len(frames)} frames of clip {clip} have the same label as with {plain.name}"
    ours, theirs = (evaluate("exact", space, [record], [parse("mIoU")]).metrics["mIoU"] for record in records)
    if ours is None or theirs is None:
        return text
    return f"{text}; mIoU (exact) there {ours:.2f}, {ours - theirs:+.2f}"


def _run(method: Method, clip: str, frames: Sequence[Frame], space: LabelSpace) -> tuple[ClipRecord, list[np.ndarray]]:
    labels: list[np.ndarray] = []
    metrics = [Confusion(space, [parse("mIoU")])]
    record = run_clip(method, clip, frames, metrics, space.classes, lambda _, found: labels.append(found.labels.copy()))
    return record, labels
