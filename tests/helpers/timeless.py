"""A result or a record without what differs from one run to the next: times, and caveats about them."""

from __future__ import annotations

import json
from typing import Any

from vssbench.results.record import RunResult

TIMES = ("fps", "latency_ms", "samples_ms", "reference_ms", "memory_mb", "energy", "started", "finished", "seconds")
SAID = ("the machine slept or was busy", "not in any FPS:")
"""Beginnings of caveats that depend on measured times."""


def timeless(value: Any) -> Any:
    """Return the JSON value without times; everything else keeps its order."""
    if isinstance(value, dict):
        return {key: timeless(item) for key, item in value.items() if key not in TIMES and not key.startswith("fps(")}
    if isinstance(value, list):
        return [timeless(item) for item in value if not (isinstance(item, str) and item.startswith(SAID))]
    return value


def numbers(result: RunResult) -> dict[str, Any]:
    """Return what a repeated run must reproduce to the digit; the environment is left out."""
    kept: dict[str, Any] = timeless(json.loads(result.to_json()))
    return {key: value for key, value in kept.items() if key != "environment"}
