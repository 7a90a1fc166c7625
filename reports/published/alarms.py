"""Printed figures that cannot all be right, found by rules: numbers to look up before they are quoted again."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from itertools import combinations

from vssbench.reports.published.entries import Entry, Recomputed

TOLERANCE = 0.01
"""The relative difference between costs that rounding and counters explain."""
POINTS = 0.1
"""The difference between accuracies, in points, that rounding explains."""
UNITS = {"gflops": "GFLOPs", "params_m": "M parameters", "fps": "FPS", "latency_ms": "ms"}
_SERIES = (re.compile(r"(Swin)-([TSBL])"), re.compile(r"(MiT)-B([0-5])"), re.compile(r"(R)(18|34|50|101)"))
_LETTERS = "TSBL"

Alarms = dict[int, list[str]]
"""Index of an entry -> what is odd about it."""


def alarms(entries: Sequence[Entry], recounted: Sequence[Recomputed]) -> Alarms:
    """Return what the rules find, by the entry's index in `entries`; entries without findings are left out."""
    found: Alarms = defaultdict(list)
    rules: list[Iterable[tuple[int, str]]] = [
        larger_and_cheaper(entries), unlike_the_code(entries, recounted), printed_twice(entries), same_wiou(entries),
        looks_ahead(entries),
    ]  # fmt: skip
    for place, text in (alarm for rule in rules for alarm in rule):
        found[place].append(text)
    return dict(found)


def larger_and_cheaper(entries: Sequence[Entry]) -> Iterable[tuple[int, str]]:
    """Find backbones that cost more than a larger one of the same series, in one table of one method."""
    for pair in _pairs(entries, lambda entry: (entry.source, *entry.subject[:2], entry.dataset)):
        (small, less), (large, more) = sorted(pair, key=lambda one: backbone_size(one[1].backbone))
        (series, size), (other, larger) = backbone_size(less.backbone), backbone_size(more.backbone)
        for name in ("params_m", "gflops") if series and series == other and size < larger else ():
            first, second = less.figures.get(name, 0.0), more.figures.get(name)
            if second is not None and first > second:
                text = f"{first:g} {UNITS[name]} with {less.backbone}, but {second:g} with the larger {more.backbone}"
                yield from ((small, text), (large, text))


def unlike_the_code(entries: Sequence[Entry], recounted: Sequence[Recomputed]) -> Iterable[tuple[int, str]]:
    """Find printed costs that no count of the official code comes near."""
    for place, entry in enumerate(entries):
        counts = [
            one for one in recounted
            if (one.method, one.backbone, one.dataset) == (entry.method, entry.backbone, entry.dataset)
            and entry.variant in ("", one.variant) and entry.input_size in ("", one.input_size)
        ]  # fmt: skip
        for name in ("params_m", "gflops"):
            counted = [one.figures[name] for one in counts if name in one.figures]
            if name in entry.figures and counted and all(far(entry.figures[name], value) for value in counted):
                code = " or ".join(f"{value:.1f}" for value in dict.fromkeys(counted))
                yield place, f"{entry.figures[name]:g} {UNITS[name]} printed, the official code counts {code}"


def printed_twice(entries: Sequence[Entry]) -> Iterable[tuple[int, str]]:
    """Find the same thing printed elsewhere with different figures. Speeds are compared per device, stated or not."""
    by_subject = defaultdict(list)
    for place, entry in enumerate(entries):
        by_subject[entry.subject].append((place, entry))
    for group in by_subject.values():
        for name in dict.fromkeys(name for _, entry in group for name in entry.figures):
            devices = {entry.device for _, entry in group} if name in ("fps", "latency_ms") else {None}
            for device in devices:
                printed = [
                    (place, entry.figures[name], entry.source.title) for place, entry in group
                    if name in entry.figures and device in (None, entry.device)
                ]  # fmt: skip
                values = [value for _, value, _ in printed]
                if values and differ(name, min(values), max(values)):
                    told = ", ".join(f"{value:g} ({title})" for _, value, title in printed)
                    yield from ((place, f"{UNITS.get(name, name)} printed as {told}") for place, *_ in printed)


def same_wiou(entries: Sequence[Entry]) -> Iterable[tuple[int, str]]:
    """Find two backbones with different mIoU but the same WIoU to the last digit, in one table of one method."""
    for (first, one), (second, other) in _pairs(entries, lambda entry: (entry.source, entry.method, entry.dataset)):
        miou, wiou = ([entry.figures.get(name) for entry in (one, other)] for name in ("mIoU", "WIoU"))
        if None not in wiou and wiou[0] == wiou[1] and miou[0] != miou[1]:
            text = f"WIoU {wiou[0]:g} with {one.backbone} and with {other.backbone}, whose mIoU differ"
            yield from ((first, text), (second, text))


def looks_ahead(entries: Sequence[Entry]) -> Iterable[tuple[int, str]]:
    """Find figures that no camera could show: they rest on later frames, whatever the row is called."""
    for place, entry in enumerate(entries):
        if entry.lookahead:
            yield place, f"not causal: {entry.lookahead}"


def backbone_size(backbone: str) -> tuple[str, int]:
    """Return the series of a backbone and its rank in it; ("", 0) for one that is in none.

    >>> backbone_size("Swin-S"), backbone_size("MiT-B5"), backbone_size("DINOv2 ViT-L")
    (('Swin', 1), ('MiT', 5), ('', 0))
    """
    for series in _SERIES:
        if match := series.fullmatch(backbone):
            return match[1], _LETTERS.index(match[2]) if match[2] in _LETTERS else int(match[2])
    return "", 0


def far(one: float, other: float) -> bool:
    """Return whether two costs differ by more than TOLERANCE."""
    return abs(one - other) > TOLERANCE * max(one, other)


def differ(name: str, low: float, high: float) -> bool:
    """Return whether two figures of one quantity differ by more than rounding."""
    return far(low, high) if name in UNITS else high - low > POINTS


def _pairs(
    entries: Sequence[Entry], key: Callable[[Entry], tuple[object, ...]]
) -> Iterable[tuple[tuple[int, Entry], tuple[int, Entry]]]:
    """Yield pairs of entries that agree in `key`, with their indices."""
    groups: dict[tuple[object, ...], list[tuple[int, Entry]]] = defaultdict(list)
    for place, entry in enumerate(entries):
        groups[key(entry)].append((place, entry))
    for group in groups.values():
        yield from combinations(group, 2)
