"""bench.yaml <-> RunSpec. Every complaint names file, line and column, and all complaints come at once."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, StrictBool, ValidationError

from vssbench import registry
from vssbench.errors import UserError, suggest
from vssbench.load import check_arguments, check_checkpoints
from vssbench.metrics import plan
from vssbench.metrics.accuracy.protocols import find
from vssbench.specs import parse, parse_list, parse_value, walk
from vssbench.yaml_file import Place, read_yaml


def _canonical(value: object, group: registry.Group) -> str:
    """The canonical string of a spec, its names checked against the registry."""
    try:
        spec = parse(str(value))
        for inner in walk(spec):
            if inner.name not in registry.entries(group):
                raise UserError(
                    f"unknown {group.removesuffix('s')} {inner.name!r}",
                    expected=suggest(inner.name, registry.entries(group)),
                )
            if group == "metrics":
                plan.check(inner)
            else:
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
    except UserError as error:
        raise ValueError(str(error)) from None
    return str(parse(str(value)))


CodecText = Annotated[str | None, BeforeValidator(_codec)]


def _protocol(value: object) -> object:
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
    seconds: float = Field(default=10.0, gt=0, description="time limit a method; at least one round is always timed")

    @property
    def schedule(self) -> dict[str, Any]:
        """What `metrics.cost.latency.measure` takes."""
        return {"warmup": self.warmup, "rounds": self.rounds, "seconds": self.seconds}


class RunSpec(_Strict):
    """One benchmark run: which methods, on what, measured how. Flags of `vssbench run` override the file."""

    methods: list[MethodSpec] = Field(
        default=[
            *("mask2former", "hold(of=mask2former)", "flowwarp(of=mask2former)", "mpvss"),
            *("mrcfa", "mrcfa(references=none)", "arseg", "psp18", "psp18(scale=0.5)"),
        ],
        min_length=1,
        description="method specs",
    )
    dataset: DatasetSpec = Field(default="synthetic", description="dataset spec")
    data_root: str | None = Field(default=None, description="folder of the dataset")
    split: str = Field(default="val", description="train, val or test")
    metrics: list[MetricSpec] = Field(default=list(plan.DEFAULT), min_length=1, description="metric strings")
    codec: CodecText = Field(default=None, description="h264: measure every method on compressed, decoded frames")
    protocol: ProtocolName = Field(default=None, description="headline protocol; default by dataset")
    distances: list[Annotated[int, Field(ge=0, le=1000)]] | None = Field(
        default=None, description="score every labelled frame at these distances from the key frame (AR-Seg's protocol)"
    )
    sweep: dict[str, Annotated[list[int | float | str], Field(min_length=1)]] = Field(
        default={}, description="argument of methods or of the dataset -> values; each is measured"
    )
    checkpoint: dict[str, str | dict[str, str]] = Field(
        default={}, description="method -> file, or {hr: file, lr: file}, or untrained (random, not packaged, weights)"
    )
    device: str = Field(default="cpu", description="torch device")
    threads: int | None = Field(default=None, ge=1, le=1024, description="CPU threads of the networks")
    workers: int = Field(default=1, ge=1, le=1024, description="processes for the accuracy pass")
    engine: Literal["local", "ray"] = Field(default="local", description="where they are: this machine, a Ray cluster")
    address: str = Field(
        default="local", description="of the Ray cluster: auto, HOST:PORT, or local for one of its own"
    )
    limit: int | None = Field(default=None, ge=1, le=10**9, description="only the first clips")
    on_error: Literal["stop", "skip-clip"] = Field(
        default="stop", description="skip-clip: a clip that fails is left out for every method, and listed"
    )
    keep_frames: int = Field(
        default=3, ge=0, le=100, description="pictures of the worst frames that are kept of each method"
    )
    allow_untrained: StrictBool = Field(default=False, description="measure accuracy without weights too, and mark it")
    latency: LatencySpec = LatencySpec()
    rules: RuleLines = Field(
        default={}, description="figure -> how much worse it may get, for `vssbench check --rules`"
    )


def load_spec(path: Path | None, overrides: dict[str, Any]) -> RunSpec:
    """The run spec of a file with the command line's values on top (None = not given)."""
    data, places, complaints = read_yaml(path) if path else ({}, {}, [])
    given = {key: value for key, value in overrides.items() if value is not None}
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
    key = ".".join(str(part) for part in loc)
    message = problem["msg"].removeprefix("Value error, ")
    where = loc
    if problem["type"] == "extra_forbidden":
        owner = LatencySpec if loc[0] == "latency" else RunSpec
        message = f"unknown key; {suggest(str(loc[-1]), owner.model_fields)}"
        where = (*loc, "")
    if loc and loc[0] in given:
        return f"--{str(loc[0]).replace('_', '-')}: {message}"
    while where and where not in places:
        where = where[:-1]
    line, column = places.get(where, (1, 1))
    return f"{path}:{line}:{column}: {key}: {message}"


def with_latency_off(spec: RunSpec) -> RunSpec:
    """The same run without the latency pass."""
    return spec.model_copy(update={"latency": spec.latency.model_copy(update={"enabled": False})})


def parse_sweep(values: list[str] | None) -> dict[str, list[object]] | None:
    """`["key_interval=1,2,5", "offset=0..4"]` -> `{"key_interval": [1, 2, 5], "offset": [0, 1, 2, 3, 4]}`."""
    if not values:
        return None
    sweep: dict[str, list[object]] = {}
    for text in values:
        key, equals, listed = text.partition("=")
        if not equals or not key.isidentifier() or not listed:
            raise UserError(f"--sweep {text!r} cannot be read", expected="ARGUMENT=VALUE,VALUE,... or ARGUMENT=0..4")
        if key in sweep:
            raise UserError(f"--sweep names {key!r} twice", expected="all its values in one --sweep")
        low, dots, high = listed.partition("..")
        if dots and low.isdigit() and high.isdigit() and int(high) >= int(low) and int(high) - int(low) < 1000:
            sweep[key] = list(range(int(low), int(high) + 1))
        else:
            sweep[key] = [parse_value(value) for value in listed.split(",")]
    return sweep


def parse_distances(text: str | None) -> list[int] | None:
    """`0..11` or `0,3,6` -> the numbers, in order."""
    if text is None:
        return None
    values = (parse_sweep([f"distances={text}"]) or {}).get("distances", [])
    numbers = [value for value in values if isinstance(value, int)]
    if len(numbers) != len(values):
        raise UserError(f"--distances {text!r} cannot be read", expected="0..11, or 0,3,6")
    return sorted(set(numbers))


def parse_methods(text: str | None) -> list[str] | None:
    """`mpvss,hold(of=oracle)` -> canonical strings."""
    return None if text is None else [str(spec) for spec in parse_list(text)]
