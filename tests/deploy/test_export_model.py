"""`vssbench export-model`: what it writes, what it compares, and what it refuses."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.helpers.command import Outcome
from vssbench.datasets.synthetic.dataset import Synthetic
from vssbench.deploy import parity
from vssbench.deploy.export import save
from vssbench.deploy.model_file import ModelFile
from vssbench.deploy.read_model import read_model
from vssbench.errors import UserError
from vssbench.load import load_method

pytestmark = pytest.mark.extra("onnx")
SIZE = (64, 96)
FRAMES = "synthetic(height=64,width=96,clips=2)"
Run = Callable[..., Outcome]


def exported(vssbench: Run, folder: Path, method: str, *more: object, limit: int = 3) -> tuple[Outcome, ModelFile]:
    done = vssbench("export-model", method, "--size", "64x96", "--output", folder, "--limit", limit, *more)
    return done, read_model(folder).file


def test_exported_model_runs_and_predicts_like_the_method(vssbench: Run, tmp_path: Path) -> None:
    done, model = exported(vssbench, tmp_path / "out", "espnet", "--json")
    assert done.status == 0
    assert json.loads(done.stdout)["model"] == model.model_dump(mode="json")
    assert model.parity["key"].frames == 3
    assert model.parity["key"].equal > 0.999
    assert model.weights.origin == "packaged"
    assert load_method(f"onnx(model={tmp_path / 'out'})").weights.origin == "file"


@pytest.mark.parametrize("precision", ["fp16", "int8"])
def test_fp16_and_int8_graphs_are_smaller_and_nearly_equal(vssbench: Run, precision: str, tmp_path: Path) -> None:
    more = ("--calibrate", FRAMES, "--calibrate-frames", 8) if precision == "int8" else ()
    done, model = exported(vssbench, tmp_path / "out", "espnet", "--precision", precision, *more)
    assert done.status == 0
    assert precision in done.stderr
    assert model.precision == precision
    assert parity.LEAST[precision] < model.parity["key"].equal < 1
    full = exported(vssbench, tmp_path / "full", "espnet")[0]
    assert "float32" in full.stderr
    sizes = [(tmp_path / name / "frame.onnx").stat().st_size for name in ("out", "full")]
    assert sizes[0] < 0.6 * sizes[1]
    if precision == "int8":
        assert model.calibration == f"{FRAMES}, split train, 8 frames"
        assert "network.classifier" in model.kept_float
        import onnx

        kinds = {node.op_type for node in onnx.load(tmp_path / "out" / "frame.onnx").graph.node}
        assert "QuantizeLinear" in kinds


def test_differing_graphs_exit_with_status_1_unless_allowed(
    vssbench: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(parity, "LEAST", dict.fromkeys(parity.LEAST, 1.1))
    done, _ = exported(vssbench, tmp_path / "out", "espnet")
    assert done.status == 1
    assert "of the labels are equal on key frames" in done.stderr
    assert exported(vssbench, tmp_path / "allowed", "espnet", "--allow-different")[0].status == 0


def test_parity_check_detects_graphs_with_different_weights(vssbench: Run, tmp_path: Path) -> None:
    exported(vssbench, tmp_path / "out", "espnet", "--checkpoint", "espnet=untrained")
    graphs = load_method(f"onnx(model={tmp_path / 'out'})")
    frames = parity.frames_of(Synthetic(height=64, width=96), SIZE, 2)
    found, ran = parity.compare(load_method("espnet"), graphs, frames)
    model = read_model(tmp_path / "out").file.model_copy(update={"parity": found})
    assert parity.differing(model) == ["key"]
    assert ran == {"frame"}


@pytest.mark.slow
def test_graph_that_ran_on_no_frame_is_reported(vssbench: Run, tmp_path: Path) -> None:
    done, model = exported(vssbench, tmp_path / "out", "tdnet", limit=1)
    assert done.status == 1
    assert "none of 1 frames ran them" in done.stderr
    assert set(model.parity) == {"warmup"}


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("espnet", "--precision", "int8"), "--calibrate DATASET"),
        (("espnet", "--calibrate", "synthetic"), "--precision int8"),
        (("espnet(dtype=bf16)",), "leave dtype out"),
        (("hold(of=espnet)",), "hold(of=onnx(model=DIR))"),
        (("oracle",), "no network to export"),
        (("espnet", "--size", "64by96"), "HEIGHTxWIDTH"),
        (("espnet", "--dataset", "synthetic"), "a frame is 128x224"),
        (("espnet", "--precision", "int8", "--calibrate", "synthetic"), "a frame is 128x224"),
    ],
)
def test_invalid_arguments_are_one_error_message(
    arguments: tuple[str, ...], said: str, vssbench: Run, tmp_path: Path
) -> None:
    size = () if "--size" in arguments else ("--size", "64x96")
    done = vssbench("export-model", *size, "--output", tmp_path / "out", *arguments)
    assert done.status == 2
    assert said in done.stderr
    assert len(done.stderr.splitlines()) <= 3


def test_export_into_a_non_empty_folder_is_refused(vssbench: Run, tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("mine")
    done = vssbench("export-model", "espnet", "--size", "64x96", "--output", tmp_path)
    assert done.status == 2
    assert [one.name for one in tmp_path.iterdir()] == ["mine.txt"]


def test_failed_export_leaves_the_folder_empty(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from vssbench.deploy import export

    def fail(*_: Any, **__: Any) -> None:
        raise UserError("no room")

    monkeypatch.setattr(export, "save", fail)
    with pytest.raises(UserError, match="no room"):
        export.export(load_method("espnet"), export.Spec("espnet"), SIZE, tmp_path / "out")
    assert not list((tmp_path / "out").iterdir())


def test_saving_again_digests_the_current_files(vssbench: Run, tmp_path: Path) -> None:
    _, model = exported(vssbench, tmp_path / "out", "espnet")
    (tmp_path / "out" / "frame.onnx").write_bytes(b"another")
    again = save(model, tmp_path / "out")
    assert again.provenance["files"] != model.provenance["files"]
    assert yaml.safe_load((tmp_path / "out" / "model.yaml").read_text())["provenance"] == again.provenance
