"""The command that repeats a run, from what its run.json keeps."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from typing import Any

import yaml

from vssbench.bench.spec import RunSpec

FIELDS_OF_FILES = ("latency", "rules")
"""Fields of a run spec that no flag sets."""


def command(asked: Mapping[str, Any]) -> str:
    """Return `vssbench run` with a flag for everything that differs from the defaults."""
    flags = [flag for name, value in _changed(asked).items() for flag in _flags(name, value)]
    return shlex.join(["vssbench", "run", *(["run.yaml"] if spec(asked) else []), *flags])


def spec(asked: Mapping[str, Any]) -> str:
    """Return the run.yaml that the command reads: what no flag sets; empty where none of it differs from defaults."""
    found = {
        name: value for name, value in _changed(asked).items() if name in FIELDS_OF_FILES and not _flags(name, value)
    }
    stream = asked.get("stream")
    if stream and (
        more := {name: value for name, value in stream.items() if value and (name, value) != ("latency", "p50")}.keys()
        - {"fps"}
    ):
        found["stream"] = {"fps": stream["fps"]} | {name: stream[name] for name in sorted(more)}
    return yaml.safe_dump(found, sort_keys=False) if found else ""


def _changed(asked: Mapping[str, Any]) -> dict[str, Any]:
    usual = RunSpec().model_dump(mode="json")
    return {name: value for name, value in asked.items() if value != usual.get(name)}


def _flags(name: str, value: Any) -> list[str]:
    """Return the words that set a field on the command line; none where no flag does."""
    flag = f"--{name.replace('_', '-')}"
    if name == "latency":
        usual = RunSpec().latency.model_dump()
        return ["--no-latency"] if value == {**usual, "enabled": False} else []
    if name in FIELDS_OF_FILES:
        return []
    if name == "stream":
        value = [f"{rate:g}" for rate in value["fps"]]
    if name == "checkpoint":
        return [word for key, path in value.items() for word in (flag, f"{key}={_paths(path)}")]
    if name == "sweep":
        return [word for key, values in value.items() for word in (flag, f"{key}={','.join(map(str, values))}")]
    if value is True:
        return [flag]
    return [flag, ",".join(map(str, value)) if isinstance(value, list) else str(value)]


def _paths(path: str | Mapping[str, str]) -> str:
    return path if isinstance(path, str) else ",".join(f"{name}:{one}" for name, one in path.items())
