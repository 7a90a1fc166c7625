"""What ran a method's networks, as results report it: the method's own runtime, or torch."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from vssbench import environment, hooks
from vssbench.types import Method, Runtime


def runtime(method: Method) -> Runtime | None:
    """Return the runtime of a method, or of its inner method; None where no network runs."""
    for layer in hooks.layers(method):
        said: Runtime | None = hooks.usable(layer, "runtime")
        if said is not None:
            return said
        numerics = hooks.usable(layer, "numerics")
        if numerics is not None:
            device = str(getattr(numerics, "device", "cpu")).partition(":")[0]
            dtype = str(getattr(numerics, "dtype", "float32"))
            return Runtime(f"torch {environment.version_of('torch')}", device, dtype, bool(numerics.compile))
    return None


def recorded(found: Runtime) -> dict[str, Any]:
    """Return the runtime as a result records it."""
    record = {name: value for name, value in asdict(found).items() if name != "notes"}
    size = record.pop("file_bytes")
    return record | {"file_mb": None if size is None else size / 1e6, "options": dict(found.options)}
