"""docs/run_file.md lists every key of a run file, and its example is a valid one."""

from __future__ import annotations

import re
from pathlib import Path

from tests.helpers.paths import ROOT
from vssbench.bench.spec import RunSpec, load_spec

TEXT = (ROOT / "docs" / "run_file.md").read_text(encoding="utf-8")


def test_page_lists_every_key_of_a_run_file() -> None:
    rows = re.findall(r"^\| (`.*?`) \|", TEXT, re.MULTILINE)
    assert [key for row in rows for key in re.findall(r"`(\w+)`", row)] == list(RunSpec.model_fields)


def test_example_is_a_valid_run_file(tmp_path: Path) -> None:
    file = tmp_path / "bench.yaml"
    file.write_text(TEXT.split("```yaml\n")[1].split("```")[0], encoding="utf-8")
    assert load_spec(file, {}).rules
