"""The gate as tests: `pytest --vssbench bench.yaml --vssbench-baseline baseline.json`.

There is one test per method, dataset and rule, `mpvss|synthetic|mIoU`, and one per method and dataset,
`mpvss|synthetic|step`, that times the steps through pytest-benchmark, so that its storage and comparison commands
apply. The benchmark runs once, when the first test needs it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from vssbench.bench.spec import RunSpec
    from vssbench.gate.baseline import Key, Snapshot
    from vssbench.gate.rules import Rule
    from vssbench.gate.verdict import Report
    from vssbench.specs import Spec


@dataclass(frozen=True)
class Gate:
    """The request. methods, datasets: those of the sweep; rules: the run spec's, else the default ones that fit."""

    spec: RunSpec
    methods: list[Spec]
    datasets: list[Spec]
    rules: tuple[Rule, ...]
    baseline: Snapshot

    @property
    def measured(self) -> list[Key]:
        """The pairs of method and dataset that the run will measure."""
        datasets = [str(dataset) for dataset in self.datasets] or [self.spec.dataset]
        return [(str(method), f"{dataset} {self.spec.split}") for dataset in datasets for method in self.methods]


GATE = pytest.StashKey[Gate]()


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("vssbench", "video segmentation benchmark")
    group.addoption("--vssbench", type=Path, metavar="BENCH", help="run spec (bench.yaml) to run and judge")
    group.addoption("--vssbench-baseline", type=Path, metavar="FILE", help="baseline file, or a run directory")
    group.addoption("--vssbench-output", type=Path, metavar="DIR", help="new run directory; default a temporary one")


def pytest_configure(config: pytest.Config) -> None:
    bench, baseline = config.getoption("--vssbench"), config.getoption("--vssbench-baseline")
    if bench is None and baseline is None and config.getoption("--vssbench-output") is None:
        return
    if bench is None or baseline is None:
        raise pytest.UsageError("the gate needs both --vssbench BENCH and --vssbench-baseline FILE")
    from vssbench.errors import UserError

    try:
        config.stash[GATE] = _open(bench, baseline)
    except UserError as error:
        raise pytest.UsageError(f"vssbench: {error}") from None
    where = config.invocation_params.dir
    if not any((where / argument.partition("::")[0]).resolve() == bench.resolve() for argument in config.args):
        config.args.append(str(bench))


def _open(bench: Path, baseline: Path) -> Gate:
    from vssbench.bench.spec import load_spec
    from vssbench.bench.sweep import expand
    from vssbench.gate.baseline import read_either
    from vssbench.gate.check import default_rules
    from vssbench.gate.rules import rules_of
    from vssbench.specs import parse

    spec, kept = load_spec(bench, {}), read_either(baseline)
    expanded = expand([parse(method) for method in spec.methods], parse(spec.dataset), spec.sweep)
    rules = rules_of(spec.rules) or default_rules(kept.entries.values())
    return Gate(spec, list(expanded.methods), list(expanded.datasets), rules, kept)


def pytest_collect_file(file_path: Path, parent: pytest.Collector) -> pytest.Collector | None:
    if GATE in parent.config.stash and file_path.resolve() == parent.config.getoption("--vssbench").resolve():
        return Benchmark.from_parent(parent, path=file_path)
    return None


class Benchmark(pytest.File):
    """The run spec as a file of tests."""

    def collect(self) -> Iterator[pytest.Item]:
        gate = self.config.stash[GATE]
        for key in dict.fromkeys([*gate.baseline.entries, *gate.measured]):
            name = f"{key[0]}|{key[1].removesuffix(' val')}"
            for rule in gate.rules:
                yield Test.from_parent(self, name=f"{name}|{rule.metric}", callobj=_judged(key, rule))
            if key in gate.measured and gate.spec.latency.enabled:
                there = self.config.pluginmanager.hasplugin("pytest-benchmark")
                yield Test.from_parent(self, name=f"{name}|step", callobj=_timed(gate, key) if there else _untimed)


class Test(pytest.Function):
    """A test that comes from the run spec, not from a Python file."""

    def reportinfo(self) -> tuple[Path, int, str]:
        return self.path, 0, self.name  # pytest cannot place a warning without a line


@pytest.fixture(scope="session")
def vssbench_report(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Report:
    """The verdicts on this session's run of the benchmark."""
    from vssbench.bench.run import run
    from vssbench.gate.baseline import read_runs
    from vssbench.gate.check import check
    from vssbench.progress import Progress

    gate = request.config.stash[GATE]
    folder = request.config.getoption("--vssbench-output") or tmp_path_factory.mktemp("vssbench") / "run"
    with _in_one_message():
        with Progress() as progress:
            run(gate.spec, gate.methods, folder, False, progress, gate.datasets)
        return check(read_runs([folder]), gate.baseline, gate.rules)


@contextmanager
def _in_one_message() -> Iterator[None]:
    """Turn a UserError into a failure that shows only its message."""
    from vssbench.errors import UserError

    try:
        yield
    except UserError as error:
        raise pytest.fail.Exception(f"vssbench: {error}", pytrace=False) from None


def _judged(key: Key, rule: Rule) -> Callable[..., None]:
    """Return the test of one rule."""

    def test(vssbench_report: Report, record_property: Callable[[str, object], None]) -> None:
        from vssbench.gate.verdict import ALL, sentence

        verdicts = {(one.method, one.dataset, one.metric): one for one in vssbench_report.verdicts}
        verdict = verdicts.get((*key, rule.metric)) or verdicts[ALL, ALL, rule.metric]
        for name in ("baseline", "current", "change", "limit", "status"):
            record_property(name, getattr(verdict, name))
        if verdict.failed or verdict.status == "incomparable":
            pytest.fail(sentence(verdict), pytrace=False)
        if verdict.status in ("new", "absent"):
            pytest.skip(sentence(verdict))

    return test


def _timed(gate: Gate, key: Key) -> Callable[..., None]:
    """Return the test that times one step per round with pytest-benchmark, over the frames of the first clip."""

    def test(benchmark: Any) -> None:
        from vssbench.bench.session import Bench
        from vssbench.metrics.cost.latency import device_barrier
        from vssbench.specs import parse

        dataset, latency = key[1].removesuffix(f" {gate.spec.split}"), gate.spec.latency
        with _in_one_message():
            bench = Bench(gate.spec.model_copy(update={"dataset": dataset}))
            method = bench.load(parse(key[0]))
        clip = bench.source(method).frames(next(iter(bench.lengths)))
        frames = [frame.read_only() for frame in islice(clip, latency.frames)]
        synchronise, last = device_barrier(gate.spec.device), [None]

        def inputs() -> Iterator[Any]:
            while True:
                method.reset()
                for frame in frames:
                    x = method.prepare(frame)
                    synchronise()
                    yield x
                    method.decode(last[0])

        def step(x: Any) -> None:
            last[0] = method.step(x)
            synchronise()

        for x in islice(inputs(), latency.warmup):
            step(x)
        stream = inputs()
        benchmark.group = f"step on {key[1]}"
        benchmark.pedantic(step, setup=lambda: ((next(stream),), {}), rounds=len(frames) * latency.rounds)

    return test


def _untimed() -> None:
    pytest.skip("timing steps needs pytest-benchmark: pip install pytest-benchmark")
