"""Memory measured alone: once, in a process where no other method has run, and marked as such."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from vssbench.bench.memory import memory_alone
from vssbench.bench.run import run
from vssbench.bench.spec import LatencySpec, RunSpec
from vssbench.datasets.synthetic.dataset import Synthetic
from vssbench.errors import UserError
from vssbench.load import Context
from vssbench.progress import Progress
from vssbench.results.record import RunResult
from vssbench.results.verify import verify
from vssbench.specs import parse

SMALL = "synthetic(clips=1,frames=6,height=32,width=48)"
METHOD = """
import os
import numpy as np
from vssbench import Prediction

class Zero:
    needs, lookahead = frozenset(), 0
    held, working = 0, 0

    def __init__(self):
        self.name = type(self).__name__
        self.kept = np.ones(self.held << 20, np.uint8)

    def reset(self): pass
    def prepare(self, frame): return frame.image
    def step(self, image):
        np.ones(self.working << 20, np.uint8)
        return image
    def decode(self, image): return Prediction(np.zeros(image.shape[:2], np.uint8), "key")

class Large(Zero):
    held, working = 200, 60

class Dying(Zero):
    def step(self, image): os._exit(9)
"""


@pytest.fixture(scope="module")
def code(tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("code") / "methods.py"
    file.write_text(METHOD)
    return file


def measured(folder: Path, code: Path, resume: bool = False, **changes: Any) -> dict[str, RunResult]:
    methods = [f"{code}:Large", f"{code}:Zero"]
    latency = LatencySpec(rounds=1, warmup=0, frames=6)
    spec = RunSpec(methods=methods, dataset=SMALL, latency=latency, **changes)
    found = run(spec, [parse(method) for method in spec.methods], folder, resume, Progress())
    return dict(zip(("large", "zero"), found, strict=True))


def peaks(results: dict[str, RunResult]) -> tuple[float, float]:
    large, zero = ((results[name].memory_mb or {})["host_peak"] for name in ("large", "zero"))
    assert large is not None
    assert zero is not None
    return large, zero


def test_memory_measured_alone_excludes_earlier_methods(code: Path, tmp_path: Path) -> None:
    together = measured(tmp_path / "run", code)
    assert together["zero"].memory_measured == "together"
    large, zero = peaks(together)
    assert zero > large - 150  # both include what the large method holds
    alone = measured(tmp_path / "run", code, resume=True, memory="alone")
    large, zero = peaks(alone)
    assert 240 < large - zero < 290
    working = (alone["large"].memory_mb or {})["host_working"]
    assert working is not None
    assert 55 < working < 75
    for name, result in alone.items():
        assert result.memory_measured == "alone"
        assert result.samples_ms == together[name].samples_ms  # nothing else was measured again
        (folder,) = (tmp_path / "run").glob(f"*{name.title()}*")
        assert verify(folder).differences == []
    again = measured(tmp_path / "run", code, resume=True)
    assert peaks(again) == peaks(alone)  # the better measurement is kept


def test_verify_reports_a_false_memory_measured(code: Path, tmp_path: Path) -> None:
    measured(tmp_path / "run", code)
    (file,) = (tmp_path / "run").glob("*Zero*/result.json")
    file.write_text(json.dumps({**json.loads(file.read_text()), "memory_measured": "alone"}))
    assert verify(file.parent).differences == ["memory_measured is 'alone', but 'together' follows from the records"]


def test_dead_memory_process_is_one_error_message(code: Path) -> None:
    frames = list(Synthetic(clips=1, frames=2, height=32, width=48).frames("val_0000"))
    with pytest.raises(UserError, match=r"(?s)Dying, memory measured alone.*a worker process died.*without --memory"):
        memory_alone(Context(), parse(f"{code}:Dying"), frames)
