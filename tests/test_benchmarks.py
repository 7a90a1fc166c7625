"""What no other test runs: scripts in benchmarks/ answer --help, and imports of the package find what they name.

Imports are checked everywhere: also in documents, shell scripts and strings that a script passes to a new process.
"""

from __future__ import annotations

import importlib
import re
import runpy
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.helpers.paths import ROOT

SCRIPTS = sorted(file for file in (ROOT / "benchmarks").glob("*.py") if "__main__" in file.read_text(encoding="utf-8"))
_ROOMS = ("benchmarks", "docs", "methods", "metrics", "reports", "tests", "vssbench")
_KINDS = {".py", ".md", ".sh", ".yaml", ".yml", ".toml"}
_FROM = re.compile(r"\bfrom (vssbench(?:\.\w+)*) import (\([^)]*\)|\w+(?: as \w+)?(?:, *\w+(?: as \w+)?)*)")
_PLAIN = re.compile(r"(?:\bimport|-m) (vssbench(?:\.\w+)+)")


def imported(text: str) -> Iterator[tuple[str, str | None]]:
    """Yield (module, imported name) for each import of the package in a text; None for a module itself."""
    for module, names in _FROM.findall(text):
        for name in re.sub(r"#.*", "", names).strip("()").split(","):
            if name.strip():
                yield module, name.split()[0]
    for module in _PLAIN.findall(text):
        yield module, None


def lacking(module: str, name: str | None) -> bool:
    """Return whether a module, or a name in it, is missing."""
    try:
        found = importlib.import_module(module)
        return name is not None and not hasattr(found, name) and not importlib.import_module(f"{module}.{name}")
    except ModuleNotFoundError as error:
        return (error.name or "").startswith("vssbench")  # otherwise an extra that is not installed here


def test_every_import_in_the_repository_exists() -> None:
    files = [file for room in _ROOMS for file in (ROOT / room).rglob("*") if file.suffix in _KINDS]
    files += [file for file in [*ROOT.iterdir(), *(ROOT / ".ci").glob("*")] if file.is_file()]
    named: dict[tuple[str, str | None], Path] = {}
    for file in files:
        if file != Path(__file__) and (file.suffix in _KINDS or not file.suffix):
            named |= dict.fromkeys(imported(file.read_text(encoding="utf-8")), file)
    assert len(named) > 500
    assert not [f"{file.relative_to(ROOT)}: {what}" for what, file in named.items() if lacking(*what)]


def test_import_of_a_moved_name_is_detected() -> None:
    text = """code = "from vssbench.specs import (
        parse,  # one
        walk as w,
    )"
    $ python -c "from vssbench.moved import x, y; import vssbench.bench.run"; python -m vssbench.cli"""
    found = list(imported(text))
    assert found == [
        ("vssbench.specs", "parse"), ("vssbench.specs", "walk"), ("vssbench.moved", "x"), ("vssbench.moved", "y"),
        ("vssbench.bench.run", None), ("vssbench.cli", None),
    ]  # fmt: skip
    assert [lacking(*what) for what in found] == [False, False, True, True, False, False]
    assert lacking("vssbench.specs", "no_such_name")


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda script: script.name)
def test_benchmark_script_answers_help(
    script: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", [str(script), "--help"])
    monkeypatch.setattr(sys, "path", [str(script.parent), *sys.path])
    with pytest.raises(SystemExit) as ended:
        runpy.run_path(str(script), run_name="__main__")
    assert ended.value.code == 0
    assert f"usage: {script.name}" in capsys.readouterr().out
