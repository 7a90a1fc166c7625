"""How long a method takes per frame of each kind in a stream: measured in this run or another one, or assumed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from vssbench.bench.spec import RunSpec, StreamSpec
from vssbench.errors import UserError
from vssbench.files.atomic import read_json
from vssbench.files.input_files import expanded
from vssbench.metrics.cost.latency import summarise
from vssbench.results.run_folder import slug
from vssbench.specs import Spec, walk


def check(spec: RunSpec, methods: Sequence[Spec]) -> None:
    """Raise UserError, before anything is measured, where the stream would turn out to be impossible."""
    stream = spec.stream
    if stream is None:
        return
    if spec.distances is not None:
        raise UserError("a stream has no fixed distances to key frames", where="--stream, --distances", fix="two runs")
    names = {name for method in methods for name in (str(method), *(part.name for part in walk(method)))}
    if unknown := [name for name in stream.assume if name not in names]:
        raise UserError(
            f"times are assumed for {unknown[0]}, which is not run",
            where="stream.assume",
            expected=", ".join(map(str, methods)),
        )
    for method in methods:
        if assumed(stream, method) is not None:
            continue
        if stream.latency_from is not None:
            _of_run(stream.latency_from, method)
        elif not spec.latency.enabled:
            raise UserError(
                f"how long {method} takes for a frame is not known without a latency pass",
                where="--stream, --no-latency",
                fix="stream.assume or stream.latency_from in the run spec, or no --no-latency",
            )


def assumed(stream: StreamSpec, method: Spec) -> Mapping[str, float] | None:
    """Return kind -> milliseconds assumed for a method, by its spec or else its name; None where they are measured."""
    found = stream.assume.get(str(method), stream.assume.get(method.name))
    return None if found is None else {str(kind): spent for kind, spent in found.items()}


def latencies(stream: StreamSpec, method: Spec, timed: Mapping[str, Any] | None) -> dict[str, int]:
    """Return kind -> whole microseconds of prepare, step and decode. timed: what the run's own latency pass wrote."""
    given = assumed(stream, method)
    if given is None:
        if stream.latency_from is not None:
            samples = _of_run(stream.latency_from, method)
        else:
            assert timed is not None  # see check
            samples = timed["samples_ms"]
        by_kind = summarise(samples)["latency_ms"]
        given = {kind: by_kind[kind]["end_to_end"][stream.latency] for kind in set(samples["kind"])}
    return {kind: round(1e3 * spent) for kind, spent in sorted(given.items())}


def _of_run(run: str, method: Spec) -> dict[str, Any]:
    """Read the samples of a method from another run directory."""
    path = Path(expanded(run)) / slug(str(method)) / "latency.json"
    if not path.is_file():
        raise UserError(
            f"the run has no times of {method}", where=path, expected="a run with a latency pass over the same methods"
        )
    try:
        samples: dict[str, Any] = read_json(path)["samples_ms"]
        summarise(samples)
    except (KeyError, TypeError, ValueError) as error:
        raise UserError(f"is damaged: {type(error).__name__}: {error}", where=path) from None
    return samples
