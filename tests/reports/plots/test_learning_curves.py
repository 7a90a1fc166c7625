"""Learning curves show the values of the log."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from vssbench.errors import UserError
from vssbench.reports.plots import learning_curves
from vssbench.reports.plots.theme import LIGHT


def test_learning_curves_plot_loss_and_validation_miou_of_the_log(tmp_path: Path) -> None:
    lines = [
        {"step": 10, "loss": 3.5, "losses": {}},
        {"step": 20, "loss": 2.0, "losses": {}},
        {"step": 20, "validation": {"mIoU": 41.5}},
        {"step": 30, "validation": {"mIoU": None}},
    ]
    (tmp_path / "log.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    found = learning_curves.read(tmp_path)
    assert found == ([(10, 3.5), (20, 2.0)], [(20, 41.5)])
    left, right = learning_curves.draw({"a": found, "b": found}, LIGHT).axes
    assert [list(line.get_ydata()) for line in left.lines] == [[3.5, 2.0]] * 2
    assert list(right.lines[0].get_ydata()) == [41.5]
    assert [text.get_text() for text in left.get_legend().get_texts()] == ["a", "b"]
    learning_curves.write({"a": tmp_path}, tmp_path / "curves.png")
    assert (tmp_path / "curves.png").stat().st_size > 5000


@pytest.mark.parametrize("text", [None, "{", '{"step": 1, "validation": 3}\n'])
def test_missing_or_damaged_training_log_is_named_in_the_error(tmp_path: Path, text: str | None) -> None:
    if text is not None:
        (tmp_path / "log.jsonl").write_text(text)
    with pytest.raises(UserError, match=r"log\.jsonl: cannot be read"):
        learning_curves.read(tmp_path)
