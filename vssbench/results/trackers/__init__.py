"""Export results to experiment trackers: MLflow, Weights & Biases (offline) and TensorBoard, each an optional extra.

A result becomes one run of the tracker: its settings, its figures under the names of `results.figures`, its notes and
result.json. Missing figures are not sent. The same result is not written twice.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from vssbench.errors import UserError, suggest
from vssbench.results.figures import figures
from vssbench.results.record import RunResult
from vssbench.specs import Spec

SINKS = {
    "mlflow": "vssbench.results.trackers.mlflow:write",
    "tensorboard": "vssbench.results.trackers.tensorboard:write",
    "wandb": "vssbench.results.trackers.wandb:write",
}
"""Name -> the function (entry, output, project) that writes one entry; it returns False if the entry exists already."""


@dataclass(frozen=True)
class Entry:
    """One result in the form that trackers take.

    name:     its name in lists: "<method> on <dataset> <split>"
    key:      hexadecimal, the same for the same result
    settings: what the figures depend on
    figures:  name -> number, without missing ones; names consist of letters, digits and "_-./"
    notes:    what a reader must know before comparing
    file:     result.json
    """

    name: str
    key: str
    settings: dict[str, str]
    figures: dict[str, float]
    notes: tuple[str, ...]
    file: Path


def export(files: Iterable[Path], to: str, output: str, project: str) -> Iterator[tuple[Path, bool]]:
    """Write result.json files to a tracker, and yield each file and whether it is new there.

    output: folder to write to; for MLflow, also a tracking URI
    Raises UserError for an unknown tracker or a damaged file, MissingExtra where the tracker is not installed.
    """
    from vssbench.registry import attribute
    from vssbench.results.record import read_result

    if to not in SINKS:
        raise UserError(f"unknown tracker {to!r}", expected=suggest(to, SINKS))
    write = attribute(SINKS[to])
    for file in files:
        taken = entry(read_result(file), file)
        try:
            new = write(taken, output, project)
        except OSError as error:
            raise UserError(f"cannot be written: {error.strerror or error}", where=output) from None
        yield file, new


def entry(result: RunResult, file: Path) -> Entry:
    """Return what a tracker gets for a result that was read from `file`."""
    environment, packages = result.environment, result.environment.get("packages", {})
    settings = {
        "method": result.method,
        "resolved": result.resolved,
        "dataset": result.dataset.spec,
        "split": result.dataset.split,
        "clips": result.dataset.clips,
        "fingerprint": result.dataset.fingerprint,
        "protocol": result.protocol,
        "codec": result.codec,
        "origin": result.origin,
        "weights": result.weights.origin,
        "weights_sha256": result.weights.sha256,
        "device": environment.get("device_name") or environment.get("cpu"),
        "threads": environment.get("threads"),
        "commit": environment.get("commit"),
        **{f"version_{name}": number for name, number in packages.items()},
    }
    named: dict[str, float] = {}
    for found in figures(result):
        if found.value is not None:
            named[_free(plain(found.figure.spec), named)] = found.value
    return Entry(
        name=f"{result.method} on {result.dataset.spec} {result.dataset.split}",
        key=hashlib.sha256(result.to_json().encode()).hexdigest()[:16],
        settings={name: str(value) for name, value in settings.items() if value is not None},
        figures=named,
        notes=(*result.caveats, *result.notes),
        file=file,
    )


def plain(figure: Spec) -> str:
    """Return a figure's name in a form that every tracker accepts: a slash before each argument, "_" for other marks.

    >>> from vssbench.specs import parse
    >>> plain(parse("VC@8")), plain(parse("latency(p99,step+decode)", words=True)), plain(parse('IoU(class="a b")'))
    ('VC8', 'latency/p99/step_decode', 'IoU/class_a_b')
    """
    name = figure.name if figure.at is None else f"{figure.name}{figure.at}"
    parts = [name, *figure.words, *(f"{key}_{value}" for key, value in figure.args)]
    return "/".join(re.sub(r"[^\w.-]", "_", part, flags=re.ASCII) if part.strip(".") else "_" for part in parts)


def _free(name: str, taken: Iterable[str]) -> str:
    """Return the name, with a number if another figure has it already."""
    number, free = 1, name
    while free in taken:
        number += 1
        free = f"{name}_{number}"
    return free
