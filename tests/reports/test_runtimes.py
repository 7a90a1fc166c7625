"""The runtime of the networks: columns of every table if it is not the usual one."""

from __future__ import annotations

from typing import Any

from tests.reports.tables.test_leaderboard import result
from vssbench.reports.rows import measured
from vssbench.reports.tables import latex, leaderboard
from vssbench.reports.tables.data_frame import table
from vssbench.results.record import RunResult


def ran(method: str, name: str = "torch 2.13.0", precision: str = "float32", **more: Any) -> RunResult:
    made = result(method, 50.0)
    runtime = {
        "name": name, "provider": "cpu", "precision": precision, "compiled": False, "opset": None,
        "calibration": None, "file_mb": None, "agreement": None, "options": {}, **more,
    }  # fmt: skip
    made.runtime = runtime
    return made


def test_rows_of_the_default_runtime_have_no_runtime_column() -> None:
    rows = [measured(ran("mpvss")), measured(result("oracle", 90.0))]
    assert "runtime" not in leaderboard.markdown(rows)
    assert "runtime" not in table(rows)


def test_runtime_and_precision_are_columns_before_the_costs() -> None:
    rows = [
        measured(ran("mpvss")),
        measured(ran("onnx(model=a)", "onnxruntime 1.32.0", "int8", file_mb=3.25, agreement=99.5)),
        measured(ran("mpvss(compile=true)", compiled=True)),
        measured(ran("onnx(model=b)", "onnxruntime 1.32.0", provider="cuda")),
        measured(result("oracle", 90.0)),
    ]
    lines = {line.split("`")[1]: line for line in leaderboard.markdown(rows).splitlines() if line.startswith("| `")}
    assert "| torch | float32 |" in " ".join(lines["mpvss"].split())
    assert "| onnxruntime | int8 |" in " ".join(lines["onnx(model=a)"].split())
    assert "| torch, compiled | float32 |" in " ".join(lines["mpvss(compile=true)"].split())
    assert "| onnxruntime, cuda | float32 |" in " ".join(lines["onnx(model=b)"].split())
    assert "| – | – |" in " ".join(lines["oracle"].split())
    frame = table(rows).set_index("method")
    assert frame.loc["onnx(model=a)", "precision"] == "int8"
    assert frame.loc["onnx(model=a)", "file_size"] == 3.25
    assert frame.loc["onnx(model=a)", "agreement"] == 99.5
    assert "onnxruntime & int8" in latex.document(rows)


def test_failed_method_is_a_row_with_its_reason() -> None:
    broken = result("onnx(model=c)", 50.0).model_copy(update={"metrics": None, "failure": "onnxruntime refuses it"})
    text = leaderboard.markdown([measured(ran("mpvss")), measured(broken)])
    assert "failed: onnxruntime refuses it" in text
