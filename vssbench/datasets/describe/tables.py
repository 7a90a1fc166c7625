"""Names of classes from files next to the masks: class_dict.csv, label_colors.txt, labels.txt, id tables, JSON."""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

Colour = tuple[int, int, int]
_FILES = re.compile(r"class|label|colou?r|categor|name|palette|legend", re.IGNORECASE)
_NAME = ("name", "class", "class_name", "label", "category", "label_name", "classes", "title")
_VALUE = ("id", "value", "index", "label_id", "class_id", "number", "trainid", "train_id", "categoryid")
_RGB = (("r", "g", "b"), ("red", "green", "blue"))
_COLOUR = ("color", "colour", "rgb", "color_rgb")
_VOID = re.compile(r"(void|unlabell?ed|ignored?|no_?label|unknown|out_of_roi|license_?plate)", re.IGNORECASE)
_ROW = re.compile(r"(?P<numbers>(?:\d+[\s,;:]+){1,3})(?P<name>\D.*)|(?P<first>\D.*?)[\s,;:]+(?P<last>\d+)")


@dataclass(frozen=True)
class Table:
    """What a file says.

    values:  file value -> class, in the file's order;  colours: RGB -> class
    ignored: classes that it marks as not scored
    listed:  whether it is only a list of names, whose values are their positions
    """

    path: Path
    values: dict[int, str] = field(default_factory=dict)
    colours: dict[Colour, str] = field(default_factory=dict)
    ignored: set[str] = field(default_factory=set)
    listed: bool = False

    def __bool__(self) -> bool:
        return bool(self.values or self.colours)


def is_void(name: str) -> bool:
    """Whether a class of that name means "no label"."""
    return bool(_VOID.fullmatch(name.strip().replace(" ", "_")))


def find(texts: Iterable[Path]) -> list[Table]:
    """Return the tables among the files, in order."""
    found = []
    for path in texts:
        if _FILES.search(path.stem):
            try:
                table = _read(path)
            except (OSError, ValueError, TypeError, AttributeError, RecursionError, csv.Error):
                continue  # some other file
            if table and len({*table.values.values(), *table.colours.values()}) > 1:
                found.append(table)
    return found


def _read(path: Path) -> Table:
    text = path.read_text(encoding="utf-8-sig")
    if path.suffix.lower() == ".json":
        return _json(path, json.loads(text))
    lines = [line.strip() for line in text.splitlines() if line.strip() and not line.lstrip().startswith("#")]
    if path.suffix.lower() in (".csv", ".tsv"):
        rows = list(csv.DictReader(lines, dialect=csv.Sniffer().sniff(lines[0], ",;\t") if lines else csv.excel))
        return _rows(path, [{str(key).strip().lower(): value for key, value in row.items()} for row in rows])
    return _lines(path, lines)


def _rows(path: Path, rows: Iterable[Mapping[str, Any]]) -> Table:
    """Read rows with a class's name and its value, its colour or both."""
    table = Table(path)
    for row in rows:
        name = next((str(row[key]).strip() for key in _NAME if isinstance(row.get(key), str)), "")
        if not name:
            continue
        if str(row.get("ignoreineval")).lower() in ("true", "1") or str(row.get("trainid")) in ("255", "-1"):
            table.ignored.add(name)
        value = next((row[key] for key in _VALUE if str(row.get(key, "")).strip().lstrip("-").isdecimal()), None)
        if value is not None and 0 <= int(value) <= 255:
            table.values.setdefault(int(value), name)
        rgb = _rgb(row)
        if rgb is not None:
            table.colours.setdefault(rgb, name)
    return table


def _rgb(row: Mapping[str, Any]) -> Colour | None:
    numbers: list[int] = []
    for keys in _RGB:
        if all(str(row.get(key, "")).strip().isdecimal() for key in keys):
            numbers = [int(row[key]) for key in keys]
    for key in _COLOUR:
        if row.get(key) is not None and not numbers:
            numbers = [int(number) for number in re.findall(r"\d+", str(row[key]))]
    return (numbers[0], numbers[1], numbers[2]) if len(numbers) == 3 and max(numbers) <= 255 else None


def _json(path: Path, data: Any) -> Table:
    """Read {"road": 1, ...}, {"1": "road", ...}, or rows, perhaps below a key such as labels or categories."""
    if isinstance(data, dict):
        if data and all(isinstance(value, int) and not isinstance(value, bool) for value in data.values()):
            return Table(path, {value: str(name) for name, value in data.items() if 0 <= value <= 255})
        if data and all(str(key).isdecimal() and isinstance(name, str) for key, name in data.items()):
            return Table(path, {int(key): name for key, name in data.items() if int(key) <= 255})
        data = next((one for one in data.values() if isinstance(one, list) and one and isinstance(one[0], dict)), [])
    if isinstance(data, list) and all(isinstance(row, dict) for row in data):
        return _rows(path, [{str(key).lower(): value for key, value in row.items()} for row in data])
    if isinstance(data, list) and all(isinstance(name, str) for name in data):
        return Table(path, dict(enumerate(data)), listed=True)
    return Table(path)


def _lines(path: Path, lines: list[str]) -> Table:
    """Read `road`, `0 road`, `road 0`, `128 64 128 road` or CVAT's `road:128,64,128::`, the same in every line."""
    table = Table(path)
    if all(re.fullmatch(r"[^:]+:\d+,\d+,\d+:.*", line) for line in lines):
        for line in lines:
            name, rgb = line.split(":")[:2]
            _put(table, name, [int(number) for number in rgb.split(",")])
        return table
    rows = [_ROW.fullmatch(line) for line in lines]
    if lines and all(rows):
        for row in filter(None, rows):
            numbers = [int(number) for number in re.findall(r"\d+", row["numbers"] or row["last"])]
            _put(table, row["name"] or row["first"], numbers)
    elif not any(re.search(r"\d|[/\\]|\.\w+$", line) for line in lines) and len(lines) <= 255:
        return Table(path, dict(enumerate(lines)), listed=True)
    return table


def _put(table: Table, name: str, numbers: list[int]) -> None:
    name = name.strip().strip(",;:\"'")
    if len(numbers) == 1 and numbers[0] <= 255:
        table.values.setdefault(numbers[0], name)
    elif len(numbers) == 3 and max(numbers) <= 255:
        table.colours.setdefault((numbers[0], numbers[1], numbers[2]), name)
