"""The CSV file: texts that begin like a formula are not formulas there, and numbers stay numbers."""

from __future__ import annotations

from io import StringIO

import numpy as np
import pandas as pd
import pytest

from vssbench.errors import printable
from vssbench.reports.tables.data_frame import csv

TEXTS = ["=1+1", "+1", "-2+3", "@SUM(A1)", "\t=1", '=HYPERLINK("http://a","b")']


def test_csv_escapes_formulas_and_keeps_numbers() -> None:
    frame = pd.DataFrame(
        {
            "notes": [*TEXTS, "mpvss(backbone=r50)"],
            "difference": [-0.3, 1.5, np.nan, -12.0, 1e-30, 37.4912345678, 0.0],
            "interval": pd.array([1, 2, pd.NA, 4, 5, 6, 7], dtype="Int64"),
            "bound": [True, False, None, True, True, False, False],
        }
    )
    text = csv(frame)
    read = pd.read_csv(StringIO(text))
    assert list(read["notes"]) == [f"'{printable(one)}" for one in TEXTS] + ["mpvss(backbone=r50)"]
    pd.testing.assert_series_equal(read["difference"], frame["difference"])
    plain = frame.drop(columns="notes")
    assert csv(plain) == plain.to_csv(index=False)


@pytest.mark.parametrize("value", ["", "a=b", "'=1", " =1"])
def test_csv_keeps_texts_that_do_not_begin_like_a_formula(value: str) -> None:
    assert csv(pd.DataFrame({"a": [value, "x"]})) == pd.DataFrame({"a": [value, "x"]}).to_csv(index=False)
