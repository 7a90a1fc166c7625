"""The schema of results: documented field by field, older files read, newer ones refused, damaged ones one message."""

from __future__ import annotations

import contextlib
import json
import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel

from tests.helpers.paths import ROOT
from vssbench.errors import UserError
from vssbench.results.fold import rescored
from vssbench.results.read_folder import read_folder
from vssbench.results.record import MIGRATIONS, SCHEMA, ClipRecord, DatasetInfo, RunResult, WeightsInfo, read_result

DOCUMENT = (ROOT / "docs" / "result.md").read_text(encoding="utf-8")
GOLDEN = ROOT / "tests" / "data" / "results"
VERSIONS = range(1, SCHEMA + 1)


def documented(heading: str) -> list[str]:
    """The fields in the table under a heading, in order."""
    table = DOCUMENT.partition(f"\n## {heading}")[2].partition("\n## ")[0]
    cells = re.findall(r"^\| (`.*?`) +\|", table, re.MULTILINE)
    return [name for cell in cells for name in re.findall(r"`(\w+)`", cell)]


@pytest.mark.parametrize("model", [RunResult, DatasetInfo, WeightsInfo, ClipRecord])
def test_every_result_field_is_documented_in_order(model: type[BaseModel]) -> None:
    assert documented(model.__name__) == [field.alias or name for name, field in model.model_fields.items()]


@pytest.mark.parametrize("version", VERSIONS)
def test_every_nested_result_key_is_documented(version: int) -> None:
    data = json.loads((GOLDEN / f"schema_{version}" / "result.json").read_text())
    parts = [data[name] for name in ("gflops", "fps", "memory_mb", "energy", "environment") if data[name]]
    assert not [key for part in parts for key in part if f"`{key}`" not in DOCUMENT]


def test_every_schema_version_has_documentation_golden_files_and_migration() -> None:
    history = DOCUMENT.partition("\n## Versions")[2].partition("\n## ")[0]
    assert [int(number) for number in re.findall(r"^\| +(\d+) \|", history, re.MULTILINE)] == list(VERSIONS)
    assert sorted(folder.name for folder in GOLDEN.iterdir()) == [f"schema_{version}" for version in VERSIONS]
    assert list(MIGRATIONS) == list(VERSIONS)[:-1]
    assert f"| `schema`                 | integer                | {SCHEMA} " in DOCUMENT


@pytest.mark.parametrize("version", VERSIONS)
def test_golden_results_of_every_version_are_read(version: int) -> None:
    file = GOLDEN / f"schema_{version}" / "result.json"
    data = json.loads(file.read_text())
    result = read_result(file)
    assert data["schema"] == version
    assert result.schema_version == SCHEMA
    read = json.loads(result.to_json())
    if version < 3:
        assert (read["dataset"].pop("files"), read["dataset"].pop("cut_from")) == (None, None)
    assert {key: value for key, value in read.items() if key in data and key != "schema"} == {
        key: value for key, value in data.items() if key != "schema"
    }
    assert version > 1 or read["failed"] == {}


@pytest.mark.parametrize("version", VERSIONS)
def test_golden_records_recompute_the_golden_numbers(version: int) -> None:
    folder = GOLDEN / f"schema_{version}"
    kept = read_folder(folder)
    result, clips = kept.result, kept.clips()
    again = rescored(kept, clips)
    assert (again.metrics, again.reasons, again.per_class) == (result.metrics, result.reasons, result.per_class)
    assert [record.clip for record in clips.all] == result.dataset.names


def test_newest_golden_result_is_written_back_byte_for_byte() -> None:
    file = GOLDEN / f"schema_{SCHEMA}" / "result.json"
    assert read_result(file).to_json() == file.read_text(encoding="utf-8")


@pytest.mark.parametrize("schema", [SCHEMA + 1, 99])
def test_newer_schema_is_refused(schema: int, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=f"schema {schema}; this vssbench reads up to {SCHEMA}(.|\n)*upgrade"):
        read_result(written(tmp_path, {"schema": schema, "new": 1}))


@pytest.mark.parametrize("schema", [None, 0, -1, True, "1", 1.0, []])
def test_invalid_schema_number_is_refused(schema: object, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="has no schema number"):
        read_result(written(tmp_path, {"schema": schema}))


def test_unknown_field_is_refused(tmp_path: Path) -> None:
    data = json.loads((GOLDEN / f"schema_{SCHEMA}" / "result.json").read_text())
    with pytest.raises(UserError, match="key mIuO"):
        read_result(written(tmp_path, {**data, "mIuO": 65.0}))


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)


@given(key=st.sampled_from(sorted(RunResult.model_json_schema()["properties"])), value=JSON)
def test_any_value_of_any_field_is_read_losslessly_or_refused(
    key: str, value: Any, tmp_path_factory: pytest.TempPathFactory
) -> None:
    data = json.loads((GOLDEN / f"schema_{SCHEMA}" / "result.json").read_text())
    path = written(tmp_path_factory.mktemp("any"), {**data, key: value})
    with contextlib.suppress(UserError):
        text = read_result(path).to_json()
        assert read_result(written(path.parent, json.loads(text))).to_json() == text


def written(folder: Path, data: object) -> Path:
    path = folder / "result.json"
    path.write_text(json.dumps(data))
    return path
