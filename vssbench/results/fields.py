"""The parts of a result and the values that they can have: a value out of range was edited or damaged."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import AfterValidator, ConfigDict, Field
from typing_extensions import TypedDict  # pydantic reads typing's own from Python 3.12 on

from vssbench.types import PHASES, Kind

LARGEST = 1e15
"""No figure of any run is larger; sums of larger figures could overflow."""

Count = Annotated[int, Field(ge=0, le=2**53)]
Percent = Annotated[float, Field(ge=0, le=100)]
Amount = Annotated[float, Field(ge=0, le=LARGEST)]
Figure = Annotated[float, Field(ge=-LARGEST, le=LARGEST)]
Rate = Annotated[float, Field(gt=0, le=LARGEST)]
MemoryMeasured = Literal["together", "alone"]
"""Memory of a process that has loaded every method of the run, or only this one."""
Size = Annotated[list[Count], Field(min_length=2, max_length=2)]
"""[H, W]"""


def _moment(text: str) -> str:
    """Return the text unchanged if it is a date and time. Raises ValueError if not."""
    datetime.fromisoformat(text)
    return text


Moment = Annotated[str, AfterValidator(_moment)]
"""ISO 8601, as a run writes it."""


def _columns(samples: dict[str, list[Any]]) -> dict[str, list[Any]]:
    """Return the samples unchanged if they are a table. Raises ValueError if not."""
    lacking = [name for name in ("round", "kind", *PHASES) if name not in samples]
    if lacking:
        raise ValueError(f"the column {lacking[0]} is missing")
    lengths = {name: len(column) for name, column in samples.items()}
    if len(set(lengths.values())) > 1 or not all(lengths.values()):
        raise ValueError(f"columns of unequal length, or empty ones: {lengths}")
    return samples


if TYPE_CHECKING:  # code reads these by computed keys, which a TypedDict does not allow
    KindName = str
    TimedKind = str
    Distance = dict[str, Any]
    Gflops = dict[str, Any]
    Latency = dict[str, Any]
    Energy = dict[str, Any]
    Samples = dict[str, Any]
    Environment = dict[str, Any]
    Streaming = dict[str, Any]
    Runtime = dict[str, Any]
else:
    KindName = Kind
    TimedKind = Kind | Literal["all"]

    class Distance(TypedDict):
        """Accuracy at one distance to the key frame, in frames. mIoU: percent."""

        __pydantic_config__ = ConfigDict(extra="forbid", strict=True)

        distance: Count
        mIoU: Percent | None
        pixels: Count

    class Uncounted(TypedDict):
        """An operator that the counters do not know."""

        __pydantic_config__ = ConfigDict(extra="allow", strict=True)

        op: str
        calls: Count
        kind: str

    class Disagreement(TypedDict):
        """Two counts of one frame kind, in 10**9 multiply-accumulates. repeats: of broadcast products, in `second`."""

        __pydantic_config__ = ConfigDict(extra="allow", strict=True)

        kind: Kind
        operators: str
        first: Amount
        second: Amount
        repeats: Amount

    class Gflops(TypedDict, total=False):
        """10**9 multiply-accumulates per frame by kind, and what the counters say about them."""

        __pydantic_config__ = ConfigDict(extra="allow", strict=True)

        key: Amount | None
        nonkey: Amount | None
        warmup: Amount | None
        amortised: Amount | None
        nominal: Amount | None
        convention: str
        size: Size
        counter: str
        second: dict[str, Amount | str | None]
        third: dict[str, Amount | str | None]
        agreement: bool
        disagreements: list[Disagreement]
        left_out: list[str]
        by_operator: dict[Kind, dict[str, Amount]]
        uncounted: list[Uncounted]

    class Latency(TypedDict, total=False):
        """Milliseconds over n timed frames."""

        __pydantic_config__ = ConfigDict(extra="allow", strict=True)

        mean: Amount
        p50: Amount
        p90: Amount
        p99: Amount
        n: Annotated[int, Field(ge=1)]

    class Energy(TypedDict, total=False):
        """The energy per frame, or the reason why it is not known."""

        __pydantic_config__ = ConfigDict(extra="allow", strict=True)

        joules_per_frame: Amount | None
        watts: Amount | None
        spread: Amount | None
        windows: Count | None
        seconds: Amount | None
        covers: str | None
        reason: str | None

    class _Samples(TypedDict, extra_items=list[Amount], total=False):  # type: ignore[call-arg]
        """Columns with one entry per timed frame; all other columns hold times by phase, in milliseconds."""

        __pydantic_config__ = ConfigDict(extra="allow", strict=True)

        round: list[Count]
        kind: list[Kind]

    Samples = Annotated[_Samples, AfterValidator(_columns)]

    class Age(TypedDict):
        """Milliseconds since the camera saw what is on show, over all frames at which something is on show."""

        __pydantic_config__ = ConfigDict(extra="forbid", strict=True)

        mean: Amount | None
        p99: Amount | None

    class Streaming(TypedDict):
        """One frame rate. metrics: percent, or null with the reason in `reasons`; missed: percent of timed frames."""

        __pydantic_config__ = ConfigDict(extra="forbid", strict=True)

        fps: Rate
        take: Literal["newest", "every"]
        assumed: bool
        latency_ms: dict[Kind, Amount]
        metrics: dict[str, Percent | None]
        reasons: dict[str, str]
        frames: Count
        taken: Count
        dropped: Count
        before_first: Count
        age_ms: Age
        missed: Percent | None

    class Runtime(TypedDict):
        """As `vssbench.types.Runtime`. file_mb: 10**6 bytes; agreement: percent."""

        __pydantic_config__ = ConfigDict(extra="forbid", strict=True)

        name: str
        provider: str
        precision: str
        compiled: bool
        opset: Count | None
        calibration: str | None
        file_mb: Amount | None
        agreement: Percent | None
        options: dict[str, str | int]

    class Environment(TypedDict, total=False):
        """What a number was measured with."""

        __pydantic_config__ = ConfigDict(extra="allow", strict=True)

        python: str
        platform: str
        packages: dict[str, str | None]
        plugins: dict[str, str]
        cpu: str
        cores: Count | None
        threads: Count | None
        device: str
        device_name: str | None
        commit: str | None
        project_commit: str
        dirty: bool | None
        accuracy_processors: list[str]
