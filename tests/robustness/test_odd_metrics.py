"""A metric of somebody else that gives no number, or fails."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any, ClassVar

import pytest

from tests.helpers.command import vssbench
from tests.robustness.made import assert_refused, vspw
from vssbench import metrics, registry
from vssbench.registry import Entry


class Odd:
    """Gives the value, or fails."""

    name, higher_is_better = "odd", True
    value: ClassVar[float | None]
    fails: ClassVar[bool]

    def __init__(self, space: Any, specs: Any):
        pass

    def update(self, frame: Any, prediction: Any) -> None:
        if Odd.fails:
            raise ZeroDivisionError("by nothing")

    def merge(self, other: Odd) -> None: ...

    def state(self) -> int:
        return 0

    def load(self, state: int) -> None: ...

    def compute(self) -> dict[str, float | None]:
        return {"odd": Odd.value}


@pytest.fixture(autouse=True)
def _registered(monkeypatch: pytest.MonkeyPatch) -> None:
    entries = {**registry.entries("metrics"), "odd": Entry(f"{__name__}:Odd", origin="a plugin")}
    whole = registry.entries
    monkeypatch.setattr(registry, "entries", lambda group: entries if group == "metrics" else whole(group))
    assert "odd" not in metrics.BUILTIN


def arguments(tmp_path: Path) -> list[object]:
    (tmp_path / "bench.yaml").write_text("metrics: [mIoU, odd]\nkeep_frames: 0\nprotocol: exact\n")
    what = ["--methods", "oracle", "--dataset", "vspw", "--data-root", vspw(tmp_path / "vspw")]
    return ["run", tmp_path / "bench.yaml", *what, "--no-latency", "--json", "--output", tmp_path / "run"]


@pytest.mark.parametrize("value", [math.nan, math.inf, None])
def test_no_number_is_null_with_a_reason(value: float | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Odd, "value", value, raising=False)
    monkeypatch.setattr(Odd, "fails", False, raising=False)
    done = vssbench(*arguments(tmp_path))
    assert done.status == 0, done
    (result,) = json.loads(done.stdout)["methods"].values()
    assert result["metrics"]["odd"] is None
    assert result["reasons"] == {"odd": "the metric gives no number"}
    assert result["metrics"]["mIoU"] == 100


def test_a_metric_that_fails_is_one_message(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Odd, "fails", True, raising=False)
    failed = vssbench(*arguments(tmp_path))
    assert_refused(failed)
    assert "oracle on vspw failed: ZeroDivisionError: by nothing" in failed.stderr
