"""RunSpec: what one run is. bench.yaml and the flags of `vssbench run` are its fields, declared here and nowhere else.

Every complaint names file, line and column, and all complaints come at once. The command line takes names, help and
defaults from the fields, so this module imports nothing heavy: functions import what they need to check values.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, StrictBool, ValidationError, field_validator

from vssbench import registry
from vssbench.errors import UserError
from vssbench.metrics import plan
from vssbench.specs import parse, walk

if TYPE_CHECKING:
    from vssbench.files.yaml_file import Place


def _canonical(value: object, group: registry.Group) -> str:
    """Return the canonical string of a spec; its names are checked against the registry."""
    from vssbench.load import check_arguments, dataset_spec

    try:
        spec = dataset_spec(str(value)) if group == "datasets" else parse(str(value))
        for inner in walk(spec):
            if group == "metrics":
                plan.check(inner)
            else:
                registry.find(group, inner.name)
                check_arguments(group, inner)
    except UserError as error:
        raise ValueError(str(error)) from None
    return str(spec)


MethodSpec = Annotated[str, BeforeValidator(lambda value: _canonical(value, "methods"))]
DatasetSpec = Annotated[str, BeforeValidator(lambda value: _canonical(value, "datasets"))]
MetricSpec = Annotated[str, BeforeValidator(lambda value: _canonical(value, "metrics"))]


def _codec(value: object) -> str | None:
    if value is None:
        return None
    from vssbench.datasets.codec import CodecSpec

    try:
        CodecSpec.read(str(value), "")
    except UserError as error:  # the complaint names the key or the flag
        raise ValueError(str(UserError(error.what, expected=error.expected, fix=error.fix))) from None
    return str(parse(str(value)))


CodecText = Annotated[str | None, BeforeValidator(_codec)]


def _protocol(value: object) -> object:
    from vssbench.metrics.accuracy.protocols import find

    try:
        return value if value is None else find(str(value)).name
    except UserError as error:
        raise ValueError(str(error)) from None


ProtocolName = Annotated[str | None, BeforeValidator(_protocol)]


def _rules(value: object) -> object:
    from vssbench.gate.rules import rules_of

    try:
        return {rule.metric: rule.text for rule in rules_of(value)} if isinstance(value, dict) else value
    except UserError as error:
        raise ValueError(str(error)) from None


RuleLines = Annotated[dict[str, str], BeforeValidator(_rules)]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class LatencySpec(_Strict):
    """How speed is measured: frames in memory, batch 1, the methods interleaved round by round."""

    enabled: StrictBool = True
    frames: int = Field(default=24, ge=1, le=10**6, description="frames of the first clip, kept in memory")
    warmup: int = Field(
        default=6, ge=0, le=10**6, description="frames run before the first timed round, for each method"
    )
    rounds: int = Field(default=10, ge=1, le=10**6, description="timed passes over those frames, at most")
    seconds: float = Field(default=10.0, gt=0, description="time limit per method; at least one round is always timed")

    @property
    def schedule(self) -> dict[str, Any]:
        """The arguments for `metrics.cost.latency.measure`."""
        return {"warmup": self.warmup, "rounds": self.rounds, "seconds": self.seconds}


FrameKind = Literal["key", "nonkey", "warmup"]
"""The same as vssbench.types.Kind, without importing NumPy."""


class StreamSpec(_Strict):
    """How methods run behind a camera: its frame rates, and how long the methods take per frame."""

    fps: list[Annotated[float, Field(gt=0, le=10_000)]] = Field(min_length=1, description="frames per second")
    latency: Literal["p50", "p90", "p99", "mean"] = Field(
        default="p50", description="which of a kind's measured times a frame takes: p50, p90, p99 or mean"
    )
    latency_from: str | None = Field(
        default=None, description="a run directory whose measured times are taken instead of this run's"
    )
    assume: dict[str, dict[FrameKind, Annotated[float, Field(ge=0, le=3.6e6)]]] = Field(
        default={}, description="method (name or spec) -> frame kind -> milliseconds, instead of measured ones"
    )

    @field_validator("fps")
    @classmethod
    def _once(cls, fps: list[float]) -> list[float]:
        return list(dict.fromkeys(fps))

    @field_validator("assume")
    @classmethod
    def _named(cls, assume: dict[str, dict[FrameKind, float]]) -> dict[str, dict[FrameKind, float]]:
        return {str(parse(method)): kinds for method, kinds in assume.items()}


def _stream(value: object) -> object:
    return {"fps": value} if isinstance(value, list) else value


class RunSpec(_Strict):
    """One benchmark run: which methods, on what, measured how. Flags of `vssbench run` override the file."""

    methods: list[MethodSpec] = Field(
        default=[
            *("mask2former", "hold(of=mask2former)", "flowwarp(of=mask2former)", "mpvss", "ema(of=mask2former)"),
            *("espnet", "accel(reference=mask2former,update=espnet)"),
            *("mrcfa", "mrcfa(references=none)", "cffm", "tv3s", "tdnet", "videomt"),
            *("arseg", "psp18", "psp18(scale=0.5)"),
        ],
        min_length=1,
        max_length=10_000,
        description="Method specs.",
    )
    dataset: DatasetSpec = Field(
        default="synthetic", description="Dataset spec, e.g. camvid or 'synthetic(motion=fast)'."
    )
    data_root: str | None = Field(default=None, description="Folder that holds the dataset.")
    split: str = Field(default="val", description="train, val or test.")
    metrics: list[MetricSpec] = Field(
        default=list(plan.DEFAULT), min_length=1, max_length=1000, description="Metric strings."
    )
    protocol: ProtocolName = Field(default=None, description="Headline protocol; default by dataset.")
    codec: CodecText = Field(default=None, description="h264: measure every method on compressed, decoded frames.")
    distances: list[Annotated[int, Field(ge=0, le=1000)]] | None = Field(
        default=None,
        max_length=1001,
        description="Score each labelled frame at each of these distances from its key frame (AR-Seg's protocol).",
    )
    sweep: dict[str, Annotated[list[int | float | str], Field(min_length=1)]] = Field(
        default={}, description="Argument of methods or of the dataset, and its values: each is measured."
    )
    stream: Annotated[StreamSpec | None, BeforeValidator(_stream)] = Field(
        default=None, description="Frame rates of a camera: score what is on show when each frame arrives."
    )
    limit: int | None = Field(default=None, ge=1, le=10**9, description="Only the first CLIPS clips.")
    checkpoint: dict[str, str | dict[str, str]] = Field(
        default={},
        description="Weights of a method (name or spec), or untrained: random weights, not packaged ones.",
    )
    device: str = Field(default="cpu", description="Torch device, e.g. cpu or cuda:0.")
    threads: int | None = Field(default=None, ge=1, le=1024, description="CPU threads of the networks.")
    workers: int = Field(default=1, ge=1, le=1024, description="Processes for the accuracy pass.")
    engine: Literal["local", "ray"] = Field(
        default="local", description="local (default), or ray: spread the processes over a Ray cluster."
    )
    address: str = Field(
        default="local", description="Ray: auto, HOST:PORT, or local (default): a new cluster on this machine."
    )
    on_error: Literal["stop", "skip-clip", "skip-method"] = Field(
        default="stop",
        description="stop (default), skip-clip: leave a failing clip out for every method, "
        "or skip-method: a failing method is a row with its reason.",
    )
    memory: Literal["together", "alone"] = Field(
        default="together",
        description="together (default): with every method loaded; alone: each in its own process, for a few seconds.",
    )
    keep_frames: int = Field(
        default=3, ge=0, le=100, description="Pictures of each method's worst frames to keep; 0: none."
    )
    allow_untrained: StrictBool = Field(default=False, description="Measure accuracy without weights too, and mark it.")
    latency: LatencySpec = LatencySpec()
    rules: RuleLines = Field(
        default={}, description="Figure -> how much worse it may get, for `vssbench check --rules`."
    )


def load_spec(path: Path | None, overrides: dict[str, Any]) -> RunSpec:
    """Read the run spec from a file, overridden by the command line's values (None = not given)."""
    from vssbench.files.yaml_file import read_yaml
    from vssbench.load import check_checkpoints

    data, places, complaints = read_yaml(path) if path else ({}, {}, [])
    given = {key: value for key, value in overrides.items() if value is not None}
    if "stream" in given and isinstance(data.get("stream"), dict):  # the flag sets only the rates
        given["stream"] = {**data["stream"], "fps": given["stream"]}
    try:
        spec = RunSpec.model_validate({**data, **given})
    except ValidationError as error:
        complaints += [_complaint(problem, path, places, given) for problem in error.errors()]
    else:
        try:
            check_checkpoints(spec.checkpoint, [parse(method) for method in spec.methods])
        except UserError as error:
            line, column = places.get(("checkpoint",), (1, 1))
            complaints.append(f"{'--checkpoint' if 'checkpoint' in given else f'{path}:{line}:{column}'}: {error}")
    if complaints:
        raise UserError("\n".join(complaints))
    return spec


def _complaint(problem: Any, path: Path | None, places: Place, given: dict[str, Any]) -> str:
    loc = problem["loc"]
    if loc and loc[0] in given:
        return f"--{str(loc[0]).replace('_', '-')}: {problem['msg'].removeprefix('Value error, ')}"
    from vssbench.files.yaml_file import complaint

    parts: dict[str, type[BaseModel]] = {"latency": LatencySpec, "stream": StreamSpec}
    owner = parts.get(str(loc[0]) if loc else "", RunSpec)
    return complaint(problem, path, places, owner.model_fields)


def with_latency_off(spec: RunSpec) -> RunSpec:
    """Return the same run without the latency pass."""
    return spec.model_copy(update={"latency": spec.latency.model_copy(update={"enabled": False})})
