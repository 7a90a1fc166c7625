"""CONTRIBUTING.md: its examples run as they are, and it lists every hook."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import pytest

from tests.helpers.paths import ROOT
from vssbench.hooks import DATASET, METHOD
from vssbench.testing import check_method

TEXT = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
EXAMPLES = dict(re.findall(r"```python\n# (\w+\.py)\n(.*?)```", TEXT, re.DOTALL))


@pytest.mark.parametrize("spec", ["my_methods.py:Sky", "my_wrappers.py:Later(of=oracle)"])
def test_examples_pass_check_method(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, spec: str) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    for name, source in EXAMPLES.items():
        Path(name).write_text(source, encoding="utf-8")
    assert "hooks" in check_method(spec, classes=4).passed


def test_contributing_lists_every_hook() -> None:
    assert [name for name in (*METHOD, *DATASET) if f"`{name}" not in TEXT] == []
