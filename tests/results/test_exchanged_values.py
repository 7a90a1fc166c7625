"""One value of a run's files is replaced by a different one, in every place in turn.

Each reader refuses the file in one message or reads the new value. Nothing ends in a traceback, and no terminal
control character is printed.
"""

from __future__ import annotations

import json
import shutil
import warnings
from collections.abc import Callable, Collection, Iterator
from itertools import cycle, islice
from pathlib import Path
from typing import Any

import pytest

from vssbench import load_results
from vssbench.bench import run as whole_run
from vssbench.bench.spec import LatencySpec, RunSpec
from vssbench.errors import UserError
from vssbench.gate import text as table
from vssbench.gate.baseline import read_either, read_runs
from vssbench.gate.check import check
from vssbench.gate.rules import rules_of
from vssbench.progress import Progress
from vssbench.reports import read_runs as reports
from vssbench.reports.tables import leaderboard
from vssbench.results.verify import verify
from vssbench.specs import parse

METHODS = ("oracle", "hold(key_interval=2,of=oracle)")
PROTOCOLS = ("exact", "mmseg")
GONE = object()
OTHERS = (None, 10_000_000, "x", -1, [], 1e308, {}, 1.5, True, GONE, "\x1b[31mred", 0)
"""The replacements of a value; GONE removes it."""
SPREAD = 7
"""The quick test tries one replacement per place; steps of 7 through the twelve reach all of them."""

Place = tuple[str | int, ...]


@pytest.fixture(scope="module", params=PROTOCOLS)
def finished(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder: Path = tmp_path_factory.mktemp("finished") / "run"
    spec = RunSpec(
        methods=list(METHODS), dataset="synthetic(clips=2,frames=3,height=16,width=24)",
        metrics=["mIoU", "WIoU", "VC@2"], protocol=request.param, latency=LatencySpec(frames=3, rounds=1, warmup=0),
    )  # fmt: skip
    whole_run.run(spec, [parse(method) for method in METHODS], folder, False, Progress())
    return folder


def places(value: Any, place: Place = ()) -> Iterator[Place]:
    """The places of all values inside a JSON value; of a list, only those of its first entry."""
    yield place
    inside = value.items() if isinstance(value, dict) else list(enumerate(value[:1])) if isinstance(value, list) else ()
    for key, item in inside:
        yield from places(item, (*place, key))


def exchanged(value: Any, place: Place, other: Any) -> Any:
    if not place:
        return None if other is GONE else other
    copy = json.loads(json.dumps(value))
    inner = copy
    for key in place[:-1]:
        inner = inner[key]
    if other is GONE:
        del inner[place[-1]]
    else:
        inner[place[-1]] = other
    return copy


def readers(run: Path, good: Path) -> dict[str, Callable[[], str]]:
    """Every reader of a run, each returning text."""
    before = read_either(good)
    methods = list(run.glob("*/result.json"))
    return {
        "report": lambda: leaderboard.text(reports.read([run]), "md"),
        "report of another protocol": lambda: leaderboard.text(reports.read([run], "detectron2"), "csv"),
        "report without intervals": lambda: leaderboard.text(reports.read([run], uncertainty=False), "csv"),
        "check": lambda: table.comparison(check(read_runs([run]), before, None)),
        "verify": lambda: "\n".join(line for one in methods for line in verify(one.parent).differences),
        "load_results": lambda: str(len(load_results(run))),
    }


def attempt(run: Path, good: Path, label: str, names: Collection[str]) -> set[str]:
    """Read a run with the named readers; returns the names of those that refused it."""
    refused = set()
    for name, read in readers(run, good).items():
        if name not in names:
            continue
        with warnings.catch_warnings():
            warnings.simplefilter("error", RuntimeWarning)
            try:
                text = read()
            except UserError as error:
                refused.add(name)
                text = str(error)
                assert len(text.splitlines()) <= 5, (name, label, text)
            except Exception as error:
                error.add_note(f"{name} of {label}")
                raise
        if name != "verify" and name not in refused:
            assert "\x1b" not in text, (name, label)
    return refused


def cases(value: Any, each: int) -> Iterator[tuple[Place, Any]]:
    """Every place with `each` of OTHERS."""
    others = cycle(OTHERS[number * SPREAD % len(OTHERS)] for number in range(len(OTHERS)))
    for place in places(value):
        for other in islice(others, each):
            yield place, other


READ_BY = {
    "clips.jsonl": ("report", "report of another protocol", "check", "verify"),
    "identity.json": ("report of another protocol", "verify"),
    "latency.json": ("verify",),
    "result.json": (
        "report",
        "report of another protocol",
        "report without intervals",
        "check",
        "verify",
        "load_results",
    ),
}
"""File of a method -> its readers."""


def parts(file: Path) -> tuple[Any, str]:
    """The value in which to replace something (the first line of clips.jsonl), and the text after it."""
    text = file.read_text()
    first, rest = text.split("\n", 1) if file.suffix == ".jsonl" else (text, "")
    return json.loads(first), f"\n{rest}"


def exchange(finished: Path, tmp_path: Path, file: str, each: int, readers_each: int) -> None:
    """each: replacements per place;  readers_each: readers per replacement, in turns"""
    (folder,) = shutil.copytree(finished, tmp_path / "run").glob("hold*")
    first, rest = parts(folder / file)
    turns = cycle(READ_BY[file])
    for place, other in cases(first, each):
        (folder / file).write_text(json.dumps(exchanged(first, place, other)) + rest)
        attempt(tmp_path / "run", finished, f"{file} {place} = {other!r}", list(islice(turns, readers_each)))


@pytest.mark.parametrize("file", READ_BY)
def test_replaced_value_in_any_place_causes_no_traceback(finished: Path, tmp_path: Path, file: str) -> None:
    exchange(finished, tmp_path, file, 1, 2)


@pytest.mark.slow
@pytest.mark.parametrize("file", READ_BY)
def test_every_replacement_with_every_reader_causes_no_traceback(finished: Path, tmp_path: Path, file: str) -> None:
    exchange(finished, tmp_path, file, len(OTHERS), len(READ_BY[file]))


ALL = frozenset(READ_BY["result.json"])
KNOWN: dict[tuple[str, Place, Any], frozenset[str]] = {
    ("result.json", ("metrics", "mIoU"), None): frozenset({"report", "report of another protocol", "check"}),
    ("result.json", ("metrics", "mIoU"), "75"): ALL - {"verify"},
    ("result.json", ("dataset", "frames"), 10_000_000): ALL - {"verify"},
    ("result.json", ("per_class", "road"), "60"): ALL - {"verify"},
    ("result.json", ("fps", "step"), 1e308): ALL - {"verify"},
    ("result.json", (), None): ALL - {"verify"},
    ("clips.jsonl", ("states", "confusion", 0, "counts", "0", 1, 0), 10_000_000): frozenset(
        {"report", "report of another protocol", "check"}
    ),
    ("clips.jsonl", ("frames",), "3"): frozenset({"report", "report of another protocol", "check"}),
    ("clips.jsonl", ("kinds", "key"), 10_000_000): frozenset({"report", "report of another protocol", "check"}),
    ("identity.json", ("metrics", 0), None): frozenset({"report of another protocol"}),
    ("identity.json", ("method",), GONE): frozenset(),
}
"""A replacement -> the readers that refuse it; `verify` reports each as a difference."""


@pytest.mark.parametrize("case", KNOWN, ids=lambda case: f"{case[0]} {case[1]}")
def test_known_impossible_values_are_refused_by_the_expected_readers(
    finished: Path, tmp_path: Path, case: tuple[str, Place, Any]
) -> None:
    file, place, other = case
    (folder,) = shutil.copytree(finished, tmp_path / "run").glob("hold*")
    first, rest = parts(folder / file)
    (folder / file).write_text(json.dumps(exchanged(first, place, other)) + rest)
    assert attempt(tmp_path / "run", finished, str(case), READ_BY[file]) == KNOWN[case]
    assert verify(folder).differences


TIMINGS: dict[Place, Any] = {
    ("conditions", "threads"): 77,
    ("conditions", "conditions"): "0123456789abcdef",
    ("samples_ms", "step", 0): 1e9,
}


@pytest.mark.parametrize("place", TIMINGS, ids=str)
def test_verify_reports_timings_of_another_run(finished: Path, tmp_path: Path, place: Place) -> None:
    (folder,) = shutil.copytree(finished, tmp_path / "run").glob("hold*")
    file = folder / "latency.json"
    file.write_text(json.dumps(exchanged(json.loads(file.read_text()), place, TIMINGS[place])))
    assert verify(folder).differences


@pytest.mark.parametrize("other", [None, [], "x", 1.5])
def test_run_with_damaged_timings_is_not_resumed(finished: Path, tmp_path: Path, other: Any) -> None:
    (folder,) = shutil.copytree(finished, tmp_path / "run").glob("hold*")
    file = folder / "latency.json"
    file.write_text(json.dumps(exchanged(json.loads(file.read_text()), ("samples_ms",), other)))
    asked = json.loads((tmp_path / "run" / "run.json").read_text())["spec"]
    with pytest.raises(UserError, match=r"latency\.json: key samples_ms"):
        whole_run.run(
            RunSpec.model_validate(asked), [parse(one) for one in METHODS], tmp_path / "run", True, Progress()
        )  # fmt: skip


def test_verify_reports_removed_metrics(finished: Path, tmp_path: Path) -> None:
    (folder,) = shutil.copytree(finished, tmp_path / "run").glob("hold*")
    data = json.loads((folder / "result.json").read_text())
    (folder / "result.json").write_text(json.dumps({**data, "metrics": None}))
    assert any("metrics are missing" in line for line in verify(folder).differences)


def test_run_of_a_newer_schema_is_not_resumed_and_stays_unchanged(finished: Path, tmp_path: Path) -> None:
    run = shutil.copytree(finished, tmp_path / "run")
    data = json.loads((run / "run.json").read_text())
    (run / "run.json").write_text(json.dumps({**data, "schema": 1000}))
    with pytest.raises(UserError, match="has schema 1000; this vssbench continues runs of up to"):
        whole_run.run(
            RunSpec.model_validate(data["spec"]), [parse(one) for one in METHODS], run, True, Progress()
        )  # fmt: skip
    assert json.loads((run / "run.json").read_text())["schema"] == 1000


def test_run_without_confusion_counts_is_read_by_report_verify_and_check(tmp_path: Path) -> None:
    """With `metrics: [VC@2]`, no record holds a confusion matrix."""
    spec = RunSpec(
        methods=list(METHODS), dataset="synthetic(clips=2,frames=3,height=16,width=24)", metrics=["VC@2"],
        latency=LatencySpec(enabled=False),
    )  # fmt: skip
    whole_run.run(spec, [parse(method) for method in METHODS], tmp_path / "run", False, Progress())
    rows = reports.read([tmp_path / "run"])
    held, oracle = (row.values["VC@2"] for row in rows)
    assert held < oracle == 100.0
    assert [verify(file.parent).differences for file in (tmp_path / "run").glob("*/result.json")] == [[], []]
    before = read_either(tmp_path / "run")
    assert check(before, before, rules_of({"VC@2": -0.1})).exit_status == 0
