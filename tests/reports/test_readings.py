"""A report reads each file of a run once, and decodes each clip's counts once, however much it shows."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from benchmarks.reports import Size, make_run
from vssbench.gate.baseline import read_runs as snapshot
from vssbench.gate.check import check
from vssbench.metrics.accuracy import confusion, consistency
from vssbench.reports import read_runs, write

SIZE = Size(methods=4, clips=12, classes=5)
_watching: list[Counter[Path]] = []


def _hear(event: str, arguments: tuple[object, ...]) -> None:
    if event == "open" and _watching and isinstance(arguments[0], str):
        _watching[-1][Path(arguments[0])] += 1


sys.addaudithook(_hear)  # notices every opened file, by any function; it cannot be removed


@contextmanager
def opened() -> Iterator[Counter[Path]]:
    """Counts how often each file is opened meanwhile."""
    _watching.append(Counter())
    yield _watching[-1]
    _watching.pop()


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("run")
    make_run(folder, SIZE)
    return folder


@pytest.fixture
def decoded(monkeypatch: pytest.MonkeyPatch) -> Counter[str]:
    """Counts how often clip states are decoded."""
    count: Counter[str] = Counter()
    for module in (confusion, consistency):
        original, name = module.decoded, module.__name__.rpartition(".")[2]

        def counting(*arguments: object, original=original, name=name) -> object:
            count[name] += 1
            return original(*arguments)

        monkeypatch.setattr(module, "decoded", counting)
    return count


@pytest.mark.parametrize("protocol", [None, "exact", "mmseg"])
def test_report_in_all_formats_reads_every_file_and_decodes_every_clip_once(
    run: Path, protocol: str | None, decoded: Counter[str], tmp_path: Path
) -> None:
    with opened() as files:
        rows = read_runs.read([run], protocol)
        assert all(row.over_clips for row in rows)
        write.write(rows, tmp_path, write.FORMATS)
    read = {(path.parent.name, path.name): count for path, count in files.items() if run in path.parents}
    names = ["clips.jsonl", "result.json", *(["identity.json"] if protocol else [])]
    asked = {(run.name, "run.json"): 1}  # for the command in the page's header
    assert read == {(row.folder.name, name): 1 for row in rows if row.folder for name in names} | asked
    clips = SIZE.methods * SIZE.clips
    # Windows of 8 and 16 frames. Under a different protocol, the result's figures are also checked against the records.
    assert decoded == Counter({"confusion": clips, "consistency": 2 * clips})


def test_gate_reads_and_decodes_each_side_once(run: Path, decoded: Counter[str], tmp_path: Path) -> None:
    make_run(tmp_path, SIZE, luck=1)
    decoded.clear()
    with opened() as files:
        report = check(snapshot([tmp_path]), snapshot([run]))
    assert any(verdict.paired for verdict in report.verdicts)
    counts = [count for path, count in files.items() if path.name == "clips.jsonl"]
    assert counts == [1] * 2 * SIZE.methods
    assert decoded["confusion"] == 2 * SIZE.methods * SIZE.clips
