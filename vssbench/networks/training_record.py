"""How weights were trained, according to their file's header, which is read without the weights themselves."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from vssbench.errors import UserError
from vssbench.files.input_files import expanded
from vssbench.specs import Spec, parse

_LONGEST = 1 << 27
"""The most bytes of a header; longer ones are not ours."""


def training_record(path: str | Path) -> dict[str, Any]:
    """Return what `vssbench train` wrote into the file; empty for any other file, and for one that cannot be read."""
    path = expanded(path)
    try:
        if not path.is_file():
            return {}
        with path.open("rb") as file:
            length = int.from_bytes(file.read(8), "little")
            header = json.loads(file.read(length)) if length < _LONGEST else {}
        return record_in(header["__metadata__"])
    except (OSError, ValueError, KeyError, TypeError, RecursionError):  # loading the file reports what is wrong with it
        return {}


def record_in(metadata: Mapping[str, str]) -> dict[str, Any]:
    """Return the same from the metadata of a safetensors header (method, labels, classes, dataset, ...)."""
    try:
        record = json.loads(metadata["training"])
    except (KeyError, ValueError, TypeError, RecursionError):
        return {}
    return record if isinstance(record, dict) else {}


def files_of(checkpoint: object) -> list[str | Path]:
    """The files of a method's weights: none, one, or one for each part of the network."""
    if isinstance(checkpoint, Mapping):
        return list(checkpoint.values())
    return [checkpoint] if isinstance(checkpoint, str | Path) else []


def trained_as(checkpoint: object) -> Spec | None:
    """The spec of the method that the weights were trained as, in full if recorded; None if no file says."""
    for path in files_of(checkpoint):
        try:
            record = training_record(path)
            return parse(str(record.get("resolved", record["method"])))
        except (KeyError, UserError):
            continue
    return None
