"""A plug-in metric that returns no number, or fails."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest

from tests.helpers.command import vssbench
from tests.robustness.made import assert_refused, vspw
from vssbench import metrics, registry
from vssbench.metrics.accuracy.clip_states import Totals
from vssbench.registry import Entry
from vssbench.stats import intervals


class Odd:
    """Returns the value, or fails."""

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
def test_non_finite_or_missing_value_is_null_with_a_reason(
    value: float | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Odd, "value", value, raising=False)
    monkeypatch.setattr(Odd, "fails", False, raising=False)
    done = vssbench(*arguments(tmp_path))
    assert done.status == 0, done
    (result,) = json.loads(done.stdout)["methods"].values()
    assert result["metrics"]["odd"] is None
    assert result["reasons"] == {"odd": "the metric returned no number"}
    assert result["metrics"]["mIoU"] == 100


def test_metric_that_fails_in_update_is_one_error_message(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Odd, "fails", True, raising=False)
    failed = vssbench(*arguments(tmp_path))
    assert_refused(failed)
    assert "oracle on vspw failed: ZeroDivisionError: by nothing" in failed.stderr


def _divides(*_: Any) -> Any:
    raise ZeroDivisionError("by nothing\nat all")


def _one_figure(spec: Any, clips: Any) -> Totals:
    return Totals(clips.names, np.zeros((len(clips.names), 2)), lambda sums: np.float64(1))


@pytest.mark.parametrize(
    ("part", "made", "reason"),
    [
        ("compute", _divides, "the metric failed: ZeroDivisionError: by nothing"),
        ("compute", lambda self: {"odd": [1, 2]}, "the metric failed: TypeError: "),
        ("load", _divides, "the metric failed: ZeroDivisionError: by nothing"),
        ("totals", staticmethod(_divides), "the metric failed: ZeroDivisionError: by nothing"),
        (
            "totals",
            staticmethod(_one_figure),
            "the metric failed: ValueError: its totals return () figures for 3 clips",
        ),
        ("totals", staticmethod(lambda spec, clips: "none today"), "none today"),
    ],
)
def test_metric_that_fails_at_evaluation_loses_only_its_own_number(
    part: str, made: Any, reason: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Odd, "value", 1.0, raising=False)
    monkeypatch.setattr(Odd, "fails", False, raising=False)
    monkeypatch.setattr(Odd, part, made, raising=False)
    done = vssbench(*arguments(tmp_path))
    assert done.status == 0, done
    (result,) = json.loads(done.stdout)["methods"].values()
    assert result["metrics"] == {"mIoU": 100, "odd": None}
    assert result["reasons"]["odd"].startswith(reason)
    (file,) = (tmp_path / "run").glob("*/result.json")
    assert intervals(file.parent, resamples=100)["odd"].low is None
    assert vssbench("report", tmp_path / "run").status == 0
