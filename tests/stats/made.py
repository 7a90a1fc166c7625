"""Clips with random counts, method folders that hold them, and a better version of a method."""

from __future__ import annotations

import dataclasses
import json

import numpy as np

from vssbench.metrics.accuracy.clip_states import ClipScore
from vssbench.metrics.accuracy.evaluate import evaluate
from vssbench.results.record import ClipRecord, DatasetInfo, RunResult, WeightsInfo
from vssbench.specs import parse
from vssbench.types import LabelSpace


def label_space(classes):
    return LabelSpace.plain("made", [f"class{index}" for index in range(classes)])


def record(rng, clip, classes, skill=0.7, odd=None):
    """One clip with random counts: a few of the classes, some void, occasionally a fully void window."""
    shown = rng.choice(classes, rng.integers(1, classes + 1), replace=False)
    cells = {}
    for label in [*shown.tolist(), classes]:
        for guess in [label % classes, *rng.choice(classes, 2).tolist(), *([] if odd is None else [odd])]:
            weight = skill if guess == label else 1 - skill
            cells[label * 256 + guess] = cells.get(label * 256 + guess, 0) + int(weight * rng.integers(1, 10**6))
    frames = int(rng.integers(3, 30))
    windows = {}
    for n in (2, 5):
        rows = np.zeros((5, max(0, frames - n + 1)), np.int64)
        rows[0] = rng.integers(0, 3 * 10**5, rows.shape[1]) * (rng.random(rows.shape[1]) < 0.9)
        rows[1], rows[2] = rows[0] * rng.random(rows.shape[1]), rows[0] // 3 * 2
        rows[3] = rows[2] * rng.random(rows.shape[1])
        rows[4] = rows[3] // 2
        windows[str(n)] = rows.tolist()
    counts = {"0": [sorted(cells), [cells[cell] for cell in sorted(cells)]]}
    confusion = {"counts": counts, "outside": [] if odd is None else [[odd, 0]]}
    head = {"frames": frames, "labelled": frames}
    states = {"confusion": [head | confusion], "consistency": [head | {"windows": windows}]}
    return ClipScore(clip, frames, frames, states)


def records(seed, clips, classes, **options):
    rng = np.random.default_rng(seed)
    return [record(rng, f"clip{index}", classes, **options) for index in range(clips)]


def drawn(some, counts):
    """The records of a resample, each with its own name."""
    return [
        dataclasses.replace(one, clip=f"{one.clip}-{copy}")
        for one, count in zip(some, counts, strict=True)
        for copy in range(count)
    ]


def better(some, share=0.1):
    """The same clips with a share of every class's wrong pixels corrected."""
    made = json.loads(json.dumps([dataclasses.asdict(one) for one in some]))
    for one in made:
        index, counts = one["states"]["confusion"][0]["counts"]["0"]
        cells = dict(zip(index, counts, strict=True))
        for cell in list(cells):
            label, guess = divmod(cell, 256)
            if label != guess:
                moved = int(share * cells[cell])
                cells[cell] -= moved
                cells[label * 257] = cells.get(label * 257, 0) + moved
        one["states"]["confusion"][0]["counts"]["0"] = [sorted(cells), [cells[cell] for cell in sorted(cells)]]
    return [ClipScore(**one) for one in made]


def write(folder, some, space, method, **changes):
    """Write a method's folder as a run leaves it."""
    folder.mkdir()
    names = [one.clip for one in some]
    frames = sum(one.frames for one in some)
    info = DatasetInfo(
        spec="made", split="val", labels="made", classes=list(space.names), clips=len(some), frames=frames,
        labelled=frames, fingerprint="f" * 64, names=names,
    )  # fmt: skip
    metrics = evaluate("exact", space, some, [parse("mIoU"), parse("VC@5")]).metrics
    result = RunResult(
        schema=1, method=method, dataset=info, protocol="exact", metrics=metrics, weights=WeightsInfo(origin="none")
    ).model_copy(update=changes)
    (folder / "result.json").write_text(result.to_json())
    lines = [
        ClipRecord(**dataclasses.asdict(one), kinds={"key": one.frames}, seconds={}).model_dump_json() + "\n"
        for one in some
    ]
    (folder / "clips.jsonl").write_text("".join(lines))
    return result
