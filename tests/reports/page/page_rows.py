"""Rows for the page's tests: a small real run with hostile names, and incomplete rows."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from vssbench.bench import run as whole_run
from vssbench.bench.spec import LatencySpec, RunSpec, StreamSpec
from vssbench.metrics.plan import DEFAULT
from vssbench.progress import Progress
from vssbench.reports import read_runs
from vssbench.reports.rows import Group, Row, measured
from vssbench.results.record import DatasetInfo, RunResult, WeightsInfo
from vssbench.specs import parse

HOSTILE = """</script><img src=x onerror="window.hacked=1">'&amp;"""
CLIPS, FRAMES = 4, 20
SMALL = f"synthetic(clips={CLIPS},frames={FRAMES},height=32,width=48)"
METHODS = ["hold(key_interval=2,of=oracle)", "hold(key_interval=4,of=oracle)", "hold(key_interval=8,of=oracle)"]


def small_run(folder: Path) -> None:
    """A run of METHODS whose first clip and first class have a hostile name."""
    stream = StreamSpec(fps=[10, 30], assume={method: {"key": 50, "nonkey": 1} for method in METHODS})
    latency = LatencySpec(frames=8, rounds=2, warmup=1)
    spec = RunSpec(methods=METHODS, dataset=SMALL, latency=latency, stream=stream, metrics=[*DEFAULT, "BIoU"])
    whole_run.run(spec, [parse(method) for method in METHODS], folder, False, Progress())
    for path in [*folder.glob("*/*.json*"), *folder.glob("*/frames/*.json")]:
        text = path.read_text()
        for name in ('"val_0000"', '"sky"'):
            text = text.replace(name, json.dumps(f"{HOSTILE} {name[1:-1]}"))
        path.write_text(text)


def rows(folder: Path) -> list[Row]:
    """The run's rows as if its methods were networks of different cost; one cost is a lower bound."""
    costs = dict(zip(METHODS, ((8.0, 30.0), (4.0, 30.0), (0.2, None)), strict=True))
    return [
        replace(
            row,
            told=False,
            values={**row.values, **dict(zip(("gflops", "params"), costs[row.method], strict=True))},
            at_least=frozenset({"gflops"} if row.method == METHODS[2] else ()),
        )
        for row in read_runs.read([folder])
    ]


def published(dataset: str = SMALL) -> Row:
    group = Group(f"{dataset} val", "", "", 0)
    values: Mapping[str, float | None] = {"mIoU": 50.0, "gflops": 38.9}
    return Row(f"Paper {HOSTILE}", "paper", group, values, origin="published", source=f"{HOSTILE} table 1")


def partial(method: str, dataset: str = "camvid", **known: object) -> Row:
    """A row of a result with little more than a name."""
    info = DatasetInfo(
        spec=dataset, split="val", labels="camvid", classes=["a", "b"], clips=1, frames=9, labelled=9,
        fingerprint="0", names=["c"],
    )  # fmt: skip
    return measured(
        RunResult(method=method, dataset=info, protocol="exact", weights=WeightsInfo(origin="none"), **known)
    )
