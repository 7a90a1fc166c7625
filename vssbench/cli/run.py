"""`vssbench run`: measure methods on a dataset and write results, leaderboard and Pareto plots."""

from __future__ import annotations

import gc
import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from datetime import datetime
from itertools import chain, count
from pathlib import Path
from shlex import quote
from typing import TYPE_CHECKING, Annotated, Any

import typer

from vssbench.cli.interrupts import ended_by_signals
from vssbench.cli.mapping_template import mapping_template
from vssbench.cli.options import JsonOption, TemplateOption, given, with_run_options
from vssbench.cli.streams import only_ours
from vssbench.errors import UserError
from vssbench.files.atomic import disk_error

if TYPE_CHECKING:
    from vssbench.results.record import RunResult
    from vssbench.stats import Interval


@with_run_options
def command(
    bench: Annotated[Path | None, typer.Argument(help="Run spec, e.g. bench.yaml; flags override it.")] = None,
    *,
    output: Annotated[Path | None, typer.Option("--output", help="Run directory; default results/<time>.")] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Continue an interrupted run in --output.")] = False,
    template: TemplateOption = None,
    no_latency: Annotated[bool, typer.Option("--no-latency", help="Skip the latency pass.")] = False,
    as_json: JsonOption = False,
    **flags: Any,
) -> None:
    """Measure accuracy, consistency and speed; write results, leaderboard and plots.

    --json prints {"methods": {SPEC: {...}}, "output": DIR}. Where a sweep makes several datasets out of one, as
    --sweep motion=slow,fast does, it prints {"datasets": {DATASET: {"methods": {SPEC: {...}}}}, "output": DIR}.
    """
    from vssbench.bench.run import run
    from vssbench.bench.spec import load_spec, with_latency_off
    from vssbench.bench.sweep import expand
    from vssbench.progress import Progress
    from vssbench.specs import parse

    overrides = given(flags)
    with only_ours(), _uncollected():
        spec = load_spec(bench, overrides)  # this imports what the methods need
    if no_latency:
        spec = with_latency_off(spec)
    if resume and output is None:
        raise UserError("--resume needs --output", expected="the run directory to continue")
    expanded = expand([parse(method) for method in spec.methods], parse(spec.dataset), spec.sweep)
    for note in expanded.left_out:
        print(f"vssbench: {note}", file=sys.stderr)
    with mapping_template(template), only_ours(), _folder(output) as folder:
        advice = f"continue with --resume --output {quote(str(folder))}"
        with ended_by_signals(advice), Progress() as progress:
            results = run(spec, expanded.methods, folder, resume, progress, expanded.datasets)
    # These imports take seconds, so they come after the mistakes that can be reported early.
    from vssbench.reports import read_runs, write
    from vssbench.reports.tables import leaderboard

    rows = read_runs.read([folder], pairs=True)
    try:
        write.write(rows, folder)
    finally:  # even if the disk is full by now: every result is kept, and shown
        if as_json:
            intervals = {(row.result.dataset.spec, row.method): row.intervals for row in rows if row.result}
            print(json.dumps(by_dataset(results, intervals) | {"output": str(folder)}))
        else:
            print(leaderboard.markdown(rows))
    if not as_json:
        print(f"written to {folder}", file=sys.stderr)


@contextmanager
def _uncollected() -> Iterator[None]:
    """Disable garbage collection for imports: modules are not garbage, and looking costs a fifth of torch's start.

    What exists afterwards also stays out of later collections, which would otherwise disturb what is timed.
    """
    gc.disable()
    try:
        yield
    finally:
        if not gc.get_freeze_count():  # once per process, since this keeps existing garbage too
            gc.freeze()
        gc.enable()


@contextmanager
def _folder(output: Path | None) -> Iterator[Path]:
    """The run directory: --output, else a new one, which is removed again if nothing is written."""
    if output is not None:
        yield output
        return
    folder = made(Path("results") / datetime.now().strftime("%Y%m%d-%H%M%S"))
    try:
        yield folder
    finally:
        for empty in (folder, folder.parent):
            with suppress(OSError):  # it holds something
                empty.rmdir()


def made(folder: Path) -> Path:
    """Make the folder, or the first of `<folder>-2`, `<folder>-3`, ... where others began a run in the same second.

    It is made at once: a run that only chose the name would lose it to another while it reads its data.
    """
    later = (folder.with_name(f"{folder.name}-{number}") for number in count(2))
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        return next(one for one in chain([folder], later) if _is_new(one))
    except OSError as error:
        raise disk_error(error, folder) from None


def _is_new(folder: Path) -> bool:
    try:
        folder.mkdir()
    except FileExistsError:
        return False
    return True


Intervals = Mapping[tuple[str, str], Mapping[str, "Interval"]]
"""(dataset, method) -> metric -> interval."""


def by_dataset(results: Sequence[RunResult], intervals: Intervals) -> dict[str, Any]:
    """The results for `--json`: {"methods": ...} of one dataset; {"datasets": {spec: {"methods": ...}}} of several."""
    datasets: dict[str, dict[str, Any]] = {}
    for result in results:
        dataset, method = result.dataset.spec, result.method
        entry = summary(result) | {"intervals": limits(intervals[dataset, method])}
        datasets.setdefault(dataset, {"methods": {}})["methods"][method] = entry
    return {"datasets": datasets} if len(datasets) > 1 else next(iter(datasets.values()))


def summary(result: RunResult) -> dict[str, Any]:
    """One method's entry in `--json`: everything except the raw samples and the environment's details."""
    kept = json.loads(result.to_json())
    for key in ("schema", "method", "samples_ms", "reference_ms"):
        kept.pop(key)
    return kept


def limits(intervals: Mapping[str, Interval]) -> dict[str, list[float] | None]:
    """metric -> [low, high] in percent; None where there is no interval."""
    return {
        name: None if found.low is None or found.high is None else [found.low, found.high]
        for name, found in intervals.items()
    }
