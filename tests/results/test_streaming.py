"""Records of streams: percentiles without a list of all frames, and values that no run can have written."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.bench.streaming.test_stream_run import HOLD, run
from vssbench.results.run_folder import slug
from vssbench.results.streaming import FILE, percentile
from vssbench.results.verify import verify


@given(st.dictionaries(st.integers(0, 10**6), st.integers(1, 9), min_size=1, max_size=8), st.integers(0, 100))
def test_percentile_of_counts_equals_numpy(counts: dict[int, int], percent: int) -> None:
    values = np.repeat(list(counts), list(counts.values()))
    assert percentile(counts, percent) == pytest.approx(np.percentile(values, percent))


def test_percentile_handles_huge_counts_without_expanding_them() -> None:
    assert percentile({0: 10**15, 5: 1}, 99) == 0


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("streamed") / "run"
    run(path)
    return path / slug(HOLD)


def places(value: Any, way: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Paths to every value of a record; of a list, only to its first entry."""
    inside = value.items() if isinstance(value, dict) else list(enumerate(value))[:1] if isinstance(value, list) else ()
    return [way, *(one for key, part in inside for one in places(part, (*way, key)))]


@pytest.mark.parametrize("other", [None, -1, 10**15, "text", [], {}], ids=repr)
def test_verify_reports_every_replaced_value_of_a_streaming_record(folder: Path, other: object) -> None:
    """One value of a record is replaced: `verify` reports it, and nothing ends in a traceback."""
    file = folder / FILE
    whole = file.read_text()
    first, rest = whole.split("\n", 1)
    try:
        for way in places(json.loads(first))[1:]:
            record = part = json.loads(first)
            for key in way[:-1]:
                part = part[key]
            if part[way[-1]] == other or way[-1] == "outside":  # empty here: no number depends on it
                continue
            part[way[-1]] = other
            file.write_text(json.dumps(record) + "\n" + rest)
            assert verify(folder).differences, way
    finally:
        file.write_text(whole)
