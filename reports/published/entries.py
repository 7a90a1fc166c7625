"""Papers' numbers as data: what was printed, by whom, and what the official code really counts.

    results.csv     a line for each row of a printed table; figures as printed, empty where none is printed
    sources.csv     where a line was read; kind "aggregator" is second-hand
    recomputed.csv  GFLOPs (multiply-accumulates) and parameters counted with the authors' own network definitions

Only the standard library is imported, since listing them must be quick.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import NamedTuple

METRICS = ("mIoU", "WIoU", "VC@8", "VC@16")
COSTS = ("gflops", "params_m", "fps", "latency_ms")


class Source(NamedTuple):
    """kind: repository, paper, poster, issue (what a user reported there) or aggregator."""

    kind: str
    title: str
    url: str


@dataclass(frozen=True)
class Entry:
    """One row of a printed table; text that is not stated is empty.

    variant:   what the method's name alone does not say, "0.5x"
    dataset:   vspw, cityscapes, camvid, acdc, ...
    protocol:  one of vssbench's, where the source's own script is known
    figures:   those of METRICS (percent) and COSTS that are printed
    device:    the device of fps and latency_ms
    distances: mIoU in percent at 0, 1, 2 ... frames from the key frame
    lookahead: how the figures rest on later frames, where they do
    """

    method: str
    variant: str
    backbone: str
    dataset: str
    split: str
    protocol: str
    figures: Mapping[str, float]
    device: str
    key_interval: str
    input_size: str
    distances: tuple[float, ...]
    lookahead: str
    source: Source
    notes: str

    @property
    def name(self) -> str:
        return full_name(self)

    @property
    def subject(self) -> tuple[str, ...]:
        """What the figures describe: entries with the same subject should agree."""
        return self.method, self.variant, self.backbone, self.dataset, self.split


class Recomputed(NamedTuple):
    """The official code's counts; figures as in `Entry`, and gflops_key, gflops_nonkey where frame kinds differ."""

    method: str
    variant: str
    backbone: str
    dataset: str
    input_size: str
    figures: Mapping[str, float]
    notes: str

    @property
    def name(self) -> str:
        return full_name(self)


def full_name(one: Entry | Recomputed) -> str:
    """Return method, variant and backbone, "AR-Seg 0.5x PSPNet-18"."""
    return " ".join(filter(None, (one.method, one.variant, one.backbone)))


@cache
def results() -> tuple[Entry, ...]:
    """Return every line of results.csv."""
    sources = {line.pop("source"): Source(**line) for line in _lines("sources.csv")}
    return tuple(_entry(line, sources) for line in _lines("results.csv"))


@cache
def recomputed() -> tuple[Recomputed, ...]:
    """Return every line of recomputed.csv."""
    texts = ("method", "variant", "backbone", "dataset", "input_size", "notes")
    costs = ("gflops", "gflops_key", "gflops_nonkey", "params_m")
    return tuple(
        Recomputed(**{name: line[name] for name in texts}, figures=_figures(line, costs))
        for line in _lines("recomputed.csv")
    )


def _entry(line: dict[str, str], sources: Mapping[str, Source]) -> Entry:
    texts = (
        *("method", "variant", "backbone", "dataset", "split", "protocol", "device"),
        *("key_interval", "input_size", "lookahead"),
    )
    return Entry(
        **{name: line[name] for name in texts},
        figures=_figures(line, (*METRICS, *COSTS)),
        distances=tuple(map(float, line["distances"].split())),
        source=sources[line["source"]],
        notes=line["notes"],
    )


def _figures(line: Mapping[str, str], names: tuple[str, ...]) -> dict[str, float]:
    return {name: float(line[name]) for name in names if line[name]}


def _lines(name: str) -> Iterator[dict[str, str]]:
    yield from csv.DictReader((files(__package__) / name).read_text(encoding="utf-8").splitlines())
