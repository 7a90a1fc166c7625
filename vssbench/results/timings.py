"""Read what the latency pass of one method wrote (latency.json), and check it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from vssbench.errors import UserError
from vssbench.files.atomic import read_json
from vssbench.results.fields import Amount, Count, Energy, MemoryMeasured, Samples, Size

if TYPE_CHECKING:
    Rounds = list[list[float]]
else:
    Rounds = list[Annotated[list[Amount], Field(min_length=1)]]


class _Timings(BaseModel):
    """latency.json. conditions: `bench.identity.speed_conditions`;  reference_ms: the reference workload, by round."""

    model_config = ConfigDict(strict=True, extra="allow")

    conditions: dict[str, Any]
    clip: str
    frames: Count
    size: Size
    samples_ms: Samples
    reference_ms: Rounds = []
    motion_ms: list[Amount] = []
    memory_mb: dict[str, Amount | None]
    memory_measured: MemoryMeasured = "together"
    energy: Energy


def read_timings(path: Path) -> dict[str, Any]:
    """Return the file's content unchanged; raises UserError for a file that no run can have written."""
    timed: dict[str, Any] = read_json(path)
    try:
        _Timings.model_validate(timed)
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(map(str, first["loc"]))
        told = f"key {key}: {first['msg']}" if key else str(first["msg"])
        raise UserError(told, where=path, fix="delete it and run again with --resume") from None
    return timed
