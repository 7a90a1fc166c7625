"""bench.yaml: all errors at once, each with its place; the shipped file states the defaults."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from tests.helpers.paths import ROOT
from vssbench.bench.spec import RunSpec, load_spec
from vssbench.errors import UserError


def complaints(tmp_path: Path, text: str, **flags: object) -> str:
    path = tmp_path / "bench.yaml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(UserError) as caught:
        load_spec(path, flags)
    return str(caught.value).replace(str(path), "bench.yaml")


def test_shipped_bench_yaml_equals_the_default_benchmark() -> None:
    shipped = load_spec(ROOT / "bench.yaml", {})
    assert shipped == RunSpec(rules=shipped.rules)  # without rules, the gate uses whatever was measured


def test_all_errors_are_reported_at_once_with_line_and_column(tmp_path: Path) -> None:
    message = complaints(tmp_path, "methods: [oracl]\ndatset: camvid\nlimit: 0\nlatency:\n  round: 3\n  frames: many\n")
    assert "bench.yaml:1:11: methods.0: unknown method 'oracl'" in message
    assert "did you mean 'oracle'?" in message
    assert "bench.yaml:2:1: datset: unknown key; did you mean 'dataset'?" in message
    assert "bench.yaml:3:8: limit: " in message
    assert "bench.yaml:5:3: latency.round: unknown key; did you mean 'rounds'?" in message
    assert "bench.yaml:6:11: latency.frames: " in message


def test_error_in_a_flag_names_the_flag(tmp_path: Path) -> None:
    assert "--workers: " in complaints(tmp_path, "limit: 2\n", workers=0)


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ("limit: 1\nlimit: 2\n", "bench.yaml:2:1: key 'limit' appears twice"),
        ("- a\n", "bench.yaml:1:1: is not a mapping"),
        ("methods: [a\nlimit: 3", "bench.yaml:2:6: is not YAML"),
        ("methods: !!python/object/apply:os.system ['true']\n", "bench.yaml:1:10"),
        ("methods: oracle\n", "bench.yaml:1:10: methods"),
        (f"methods: [{'oracle, ' * 10_001}]\n", "bench.yaml:1:1: methods: List should have at most 10000 items"),
        (f"metrics: [{'mIoU, ' * 1001}]\n", "bench.yaml:1:1: metrics: List should have at most 1000 items"),
        ("methods: [hold(of=nothing)]\n", "unknown method 'nothing'"),
        ("dataset: camvid(\n", "bench.yaml:1:10: dataset"),
        ("limit: 1\nlimit: 2\ndatset: x\n", "bench.yaml:3:1: datset"),
        ("protocol: vspww\n", "bench.yaml:1:11: protocol: unknown protocol 'vspww'"),
        ("metrics: [VC]\n", "bench.yaml:1:11: metrics.0: the metric VC needs the length"),
        ("metrics: ['mIoU(protocol=x)']\n", "bench.yaml:1:11: metrics.0"),
        ("methods: [hold]\n", "bench.yaml:1:11: methods.0: hold: hold needs the argument 'of'"),
        ("dataset: 'synthetic(foo=1)'\n", "bench.yaml:1:10: dataset"),
        ("sweep: {key_interval: []}\n", "bench.yaml:1:9: sweep.key_interval"),
        ("checkpoint: {oracl: a.pth}\n", "bench.yaml:1:1: a checkpoint is given for 'oracl'"),
        ("codec: hevc\n", "bench.yaml:1:8: codec: unknown codec"),
        ("allow_untrained: 1\n", "bench.yaml:1:18: allow_untrained"),
        ("limit: 2026-13-45\n", "bench.yaml"),
    ],
)
def test_invalid_run_file_is_refused_with_the_place_of_the_error(tmp_path: Path, text: str, part: str) -> None:
    assert part in complaints(tmp_path, text)


def test_flags_override_the_file(tmp_path: Path) -> None:
    path = tmp_path / "bench.yaml"
    path.write_text("limit: 3\nsplit: test\n")
    spec = load_spec(path, {"limit": 1, "split": None})
    assert (spec.limit, spec.split) == (1, "test")


@given(st.text(max_size=60))
def test_any_text_is_a_run_file_or_one_error_message(tmp_path_factory: pytest.TempPathFactory, text: str) -> None:
    path = tmp_path_factory.mktemp("yaml") / "bench.yaml"
    path.write_bytes(text.encode("utf-8", "surrogatepass"))
    found: RunSpec | str
    try:
        found = load_spec(path, {})
    except UserError as error:
        found = str(error)
    assert "bench.yaml" in found if isinstance(found, str) else found == RunSpec(**(yaml.safe_load(text) or {}))


FIELDS = st.fixed_dictionaries(
    {},
    optional={
        "methods": st.lists(st.sampled_from(["oracle", "hold(key_interval=2,of=oracle)", "mpvss"]), min_size=1),
        "dataset": st.sampled_from(["camvid", "synthetic(clips=2)"]),
        "split": st.text(min_size=1),
        "data_root": st.text(min_size=1),
        "metrics": st.lists(st.sampled_from(["mIoU", "VC@8", "BIoU(width=0.2)"]), min_size=1),
        "protocol": st.sampled_from(["exact", "mmseg"]),
        "codec": st.just("h264(gop=12)"),
        "distances": st.lists(st.integers(0, 1000), min_size=1),
        "sweep": st.just({"key_interval": [1, 2]}),
        "stream": st.builds(lambda fps: {"fps": [fps], "latency": "p90"}, st.floats(0.1, 10_000)),
        "limit": st.integers(1, 10**9),
        "checkpoint": st.just({}),
        "threads": st.integers(1, 1024),
        "keep_frames": st.integers(0, 100),
        "allow_untrained": st.booleans(),
        "latency": st.builds(lambda rounds: {"enabled": False, "rounds": rounds}, st.integers(1, 10**6)),
        "rules": st.just({"mIoU": "-0.1"}),
    },
)


@given(FIELDS)
def test_run_file_sets_its_fields_and_no_others(
    tmp_path_factory: pytest.TempPathFactory, fields: dict[str, Any]
) -> None:
    path = tmp_path_factory.mktemp("yaml") / "bench.yaml"
    path.write_text(yaml.safe_dump(fields), encoding="utf-8")
    spec = load_spec(path, {})
    found = spec.model_dump(exclude_unset=True)
    assert found == fields
    assert spec == RunSpec().model_copy(update={name: getattr(spec, name) for name in fields})
