"""Runs of one method over time, with changes of the method between some of them."""

from __future__ import annotations

import json
from pathlib import Path

from vssbench.bench.run import run
from vssbench.bench.spec import LatencySpec, RunSpec
from vssbench.progress import Progress
from vssbench.specs import parse

SOURCE = '''
"""Labels of the last key frame, some pixels of which are wrong: as far as `state.json` next to this file says."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np

from vssbench.methods.hold.adapter import Hold


class Net(Hold):
    def __init__(self, context):
        state = json.loads(Path(__file__).with_name("state.json").read_text())
        super().__init__("oracle", context, state["key_interval"])
        self.noise = np.random.default_rng(state["seed"])

    def decode(self, y):
        found = super().decode(y)
        wrong = self.noise.random(found.labels.shape) < 0.02
        return replace(found, labels=np.where(wrong, np.uint8(0), found.labels))
'''


def measured(
    place: Path, number: int, key_interval: int, clips: int = 10, latency: LatencySpec | None = None, **environment: str
) -> Path:
    """The run directory place/run-NN, of day NN of the month. environment: recorded in its results."""
    source = place / "net.py"
    source.write_text(SOURCE)
    (place / "state.json").write_text(json.dumps({"key_interval": key_interval, "seed": number}))
    method, folder = f"{source}:Net", place / f"run-{number:02}"
    spec = RunSpec(
        methods=[method], dataset=f"synthetic(clips={clips},frames=10,height=32,width=48)",
        latency=latency or LatencySpec(enabled=False), threads=1,
    )  # fmt: skip
    run(spec, [parse(method)], folder, False, Progress())
    for file in folder.glob("*/result.json"):
        data = json.loads(file.read_text())
        data["started"] = f"2026-05-{number:02}T10:00:00+00:00"
        data["environment"] |= {"commit": f"{number:02}" * 20, "dirty": False, **environment}
        file.write_text(json.dumps(data))
    return folder
