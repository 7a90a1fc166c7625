"""A method whose predictions differ for the same frames gets a caveat; no other method does."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from vssbench import methods, registry
from vssbench.bench import run as whole_run
from vssbench.bench.spec import LatencySpec, RunSpec
from vssbench.progress import Progress
from vssbench.registry import Entry
from vssbench.results.record import RunResult
from vssbench.specs import parse
from vssbench.types import Frame, Prediction


class Dice:
    """Class 0, or noise from an unseeded generator; fails after `lasts` frames."""

    name, needs, lookahead = "dice", frozenset[str](), 0

    def __init__(self, share: float = 0.1, lasts: int = 10**9):
        self.share, self.lasts, self.rng = share, lasts, np.random.default_rng()

    def reset(self) -> None: ...

    def prepare(self, frame: Frame) -> Frame:
        self.lasts -= 1
        if self.lasts < 0:
            raise RuntimeError("worn out")
        return frame

    def step(self, x: Frame) -> Frame:
        return x

    def decode(self, y: Frame) -> Prediction:
        return Prediction((self.rng.random(y.image.shape[:2]) < self.share).astype(np.uint8), "key")


@pytest.fixture
def dice(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setitem(methods.BUILTIN, "dice", Entry(f"{__name__}:Dice"))
    registry.entries.cache_clear()
    yield
    registry.entries.cache_clear()


def run(folder: Path, method: str) -> RunResult:
    spec = RunSpec(
        methods=[method], dataset="synthetic(clips=1,frames=6,height=32,width=48)", latency=LatencySpec(enabled=False)
    )
    (found,) = whole_run.run(spec, [parse(method)], folder, False, Progress())
    return found


@pytest.mark.parametrize(
    ("method", "said"),
    [
        ("dice(share=0.1)", "gives different answers from run to run: of 6 frames of clip val_0000, run twice, 1"),
        ("dice(share=0.0)", None),
        ("hold(of=oracle)", None),
        ("dice(lasts=9,share=0.0)", "fails on frames that it answered before: clip 'val_0000', frame 3"),
    ],
)
@pytest.mark.usefixtures("dice")
def test_only_unrepeatable_methods_get_a_caveat(tmp_path: Path, method: str, said: str | None) -> None:
    found = [one for one in run(tmp_path, method).caveats if "answer" in one]
    assert len(found) == (said is not None)
    assert all(said in one for one in found if said)
