"""Experiment trackers: the written data are read back with the trackers' own readers."""

from __future__ import annotations

import json
import string
import struct
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from typer.testing import CliRunner

from tests.reports.made import method_folder
from tests.results.names import figure_names
from vssbench.cli import app
from vssbench.errors import MissingExtra, UserError
from vssbench.results.record import read_result
from vssbench.results.trackers import SINKS, entry, export, plain
from vssbench.specs import parse

COST = {
    "gflops": {"key": 2.0, "nonkey": None, "warmup": None, "amortised": 1.5, "nominal": 1.25, "convention": "mac"},
    "fps": {"step": 10.0, "step+decode": 8.0, "end_to_end": None},
    "caveats": ["only the first 12 clips (--limit)"],
    "environment": {"cpu": "a machine", "threads": 1, "packages": {"torch": "2.13.0"}},
}


@pytest.fixture
def run(tmp_path: Path) -> Path:
    run = tmp_path / "run"
    method_folder(run, "hold(of=oracle)", 0.9, **COST)
    method_folder(run, "mpvss", 0.6, seed=3)
    return run


def files(run: Path) -> list[Path]:
    return sorted(run.glob("*/result.json"))


def command(run: Path, to: str, output: Path | str, *more: str) -> list[str]:
    """The lines that `vssbench export-results` prints."""
    done = CliRunner().invoke(app, ["export-results", str(run), "--to", to, "--output", str(output), *more])
    assert done.exit_code == 0, done.output
    return done.stderr.splitlines()


def expected(run: Path) -> dict[str, tuple[dict[str, float], dict[str, str]]]:
    """name of the entry -> (figures by the trackers' names, settings), taken from result.json."""
    wanted = {}
    for file in files(run):
        result = json.loads(file.read_text())
        figures = dict(result["metrics"])
        figures |= {f"IoU/class_{name}": value for name, value in result["per_class"].items()}
        figures |= {f"mIoU/distance_{row['distance']}": row["mIoU"] for row in result["by_distance"]}
        figures |= {"mIoU/distance_mean": result["by_distance"][0]["mIoU"]}
        figures |= {f"frames/{kind}": count for kind, count in result["kinds"].items()}
        figures |= {"key_frames": 100.0} | {key: result["dataset"][key] for key in ("clips", "frames")}
        figures |= {"frames/labelled": result["dataset"]["labelled"]}
        gflops = {key: value for key, value in (result["gflops"] or {}).items() if key != "convention"}
        figures |= {"gflops": gflops.pop("amortised", None)} | {f"gflops/{k}": v for k, v in gflops.items()}
        figures |= {f"fps/{scope.replace('+', '_')}": value for scope, value in (result["fps"] or {}).items()}
        settings = {"method": result["method"], "dataset": "camvid", "split": "val", "protocol": "exact"}
        name = f"{result['method']} on camvid val"
        wanted[name] = ({k: v for k, v in figures.items() if v is not None}, settings)
    return wanted


def test_tracker_entry_has_the_figures_and_settings_of_the_result(run: Path) -> None:
    wanted = expected(run)
    for file in files(run):
        taken = entry(read_result(file), file)
        figures, settings = wanted.pop(taken.name)
        assert taken.figures == figures
        assert settings.items() <= taken.settings.items()
    assert wanted == {}


@pytest.mark.extra("mlflow")
def test_mlflow_stores_figures_settings_and_artifact_once(run: Path, tmp_path: Path) -> None:
    from mlflow import MlflowClient

    assert command(run, "mlflow", tmp_path / "ml", "--project", "segments")[-1].startswith("2 of 2 results written")
    assert command(run, "mlflow", tmp_path / "ml", "--project", "segments")[-1].startswith("0 of 2")
    client = MlflowClient(tracking_uri=f"sqlite:///{tmp_path / 'ml' / 'mlflow.db'}")
    found = client.search_runs([client.get_experiment_by_name("segments").experiment_id])
    wanted = expected(run)
    assert sorted(one.info.run_name for one in found) == sorted(wanted)
    for one in found:
        figures, settings = wanted[one.info.run_name]
        assert one.data.metrics == figures
        assert settings.items() <= one.data.params.items()
        assert one.info.status == "FINISHED"
        (artifact,) = client.list_artifacts(one.info.run_id)
        local = client.download_artifacts(one.info.run_id, artifact.path, str(tmp_path))
        assert Path(local).read_text() in {file.read_text() for file in files(run)}
    (held,) = [one for one in found if one.info.run_name.startswith("hold")]
    assert held.data.tags["mlflow.note.content"].startswith("only the first 12 clips")
    assert held.data.params["version_torch"] == "2.13.0"


@pytest.mark.extra("mlflow")
def test_invalid_mlflow_address_is_one_error_message(run: Path) -> None:
    with pytest.raises(UserError, match="MLflow refuses"):
        list(export(files(run), "mlflow", "nothing://at.all", "p"))


@pytest.mark.extra("wandb")
def test_wandb_writes_offline_runs_with_figures_and_settings_once(run: Path, tmp_path: Path) -> None:
    assert command(run, "wandb", tmp_path / "wb", "--project", "segments")[-1].startswith("2 of 2 results written")
    assert command(run, "wandb", tmp_path / "wb", "--project", "segments")[-1].startswith("0 of 2")
    found, notes = {}, {}
    for file in (tmp_path / "wb" / "wandb").glob("offline-run-*/*.wandb"):
        started, config, summary = wandb_records(file)
        notes[started.display_name] = started.notes
        found[started.display_name] = (summary, config, started.project)
        assert read_result(file.parent / "files" / "result.json").method == config["method"]
    wanted = expected(run)
    assert found.keys() == wanted.keys()
    for name, (figures, settings) in wanted.items():
        summary, config, project = found[name]
        assert {key: value for key, value in summary.items() if not key.startswith("_")} == figures
        assert settings.items() <= config.items()
        assert project == "segments"
    assert notes["hold(of=oracle) on camvid val"].startswith("only the first 12 clips")


def wandb_records(file: Path) -> tuple[Any, dict[str, str], dict[str, float]]:
    """(the record of the run, its config, its summary) of an offline run's log."""
    from wandb.proto import wandb_internal_pb2

    started, config, summary = None, {}, {}
    for data in log_records(file.read_bytes()):
        record = wandb_internal_pb2.Record()
        record.ParseFromString(data)
        if record.WhichOneof("record_type") == "run":
            started = record.run
            config = {item.key: json.loads(item.value_json) for item in record.run.config.update}
        if record.WhichOneof("record_type") == "summary":
            for item in record.summary.update:
                summary[item.key or "/".join(item.nested_key)] = json.loads(item.value_json)
    return started, config, summary


def log_records(data: bytes) -> Iterator[bytes]:
    """The records of a LevelDB log (32 KiB blocks; checksum, length and kind before each piece) under W&B's header."""
    assert data.startswith(b":W&B")
    position, record = 7, b""
    while position < len(data):
        if (left := -position % 2**15) < 7 and left:
            position += left
            continue
        length, kind = struct.unpack_from("<HB", data, position + 4)
        record += data[position + 7 : position + 7 + length]
        position += 7 + length
        if kind in (1, 4):  # whole, or the last piece
            yield record
            record = b""


@pytest.mark.extra("tensorboard")
def test_tensorboard_stores_figures_and_texts_once(run: Path, tmp_path: Path) -> None:
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    assert command(run, "tensorboard", tmp_path / "tb")[-1].startswith("2 of 2 results written")
    assert command(run, "tensorboard", tmp_path / "tb")[-1].startswith("0 of 2")
    found = []
    for file in (tmp_path / "tb").glob("*/*/events.out.tfevents.*"):
        events = EventAccumulator(str(file.parent)).Reload()
        figures = {tag: events.Scalars(tag) for tag in events.Tags()["scalars"]}
        assert all(len(points) == 1 for points in figures.values())
        found.append({tag: points[0].value for tag, points in figures.items()})
        texts = {name: shown(events, name) for name in ("settings", "notes", "result.json")}
        result = json.loads(texts["result.json"])
        settings = json.loads(texts["settings"])
        assert (settings["method"], settings["dataset"]) == (result["method"], "camvid")
        assert texts["result.json"] + "\n" in {file.read_text() for file in files(run)}
        assert texts["notes"].splitlines() == [*result["caveats"], *result["notes"]]
    wanted = [figures for figures, _ in expected(run).values()]
    assert sorted(found, key=lambda one: one["mIoU"]) == [
        pytest.approx(figures, rel=1e-6)
        for figures in sorted(wanted, key=lambda one: one["mIoU"])  # float32 on disk
    ]


def shown(events: Any, name: str) -> str:
    """A TensorBoard text without the indentation that makes it a block."""
    (text,) = events.Tensors(f"{name}/text_summary")
    lines = text.tensor_proto.string_val[0].decode().splitlines()
    assert all(line.startswith("    ") for line in lines)
    return "\n".join(line[4:] for line in lines)


@pytest.mark.parametrize("to", SINKS)
def test_missing_tracker_package_names_its_extra_and_writes_nothing(
    to: str, run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for package in ("mlflow", "wandb", "torch.utils.tensorboard"):
        monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(MissingExtra, match=rf"vssbench\[{to}\]"):
        list(export(files(run), to, str(tmp_path / "out"), "p"))
    assert not (tmp_path / "out").exists()


def test_unknown_tracker_or_missing_folder_is_refused(run: Path, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="did you mean 'mlflow'"):
        list(export(files(run), "mlfow", str(tmp_path), "p"))
    assert isinstance(
        CliRunner().invoke(app, ["export-results", str(tmp_path / "no"), "--to", "wandb", "--output", "x"]).exception,
        UserError,
    )


@pytest.mark.extra("tensorboard")
def test_unwritable_tracker_output_is_one_error_message(run: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match="cannot be written"):
        list(export(files(run), "tensorboard", str(tmp_path / "file"), "p"))


def test_tracker_key_depends_on_the_result_and_not_on_the_path(run: Path, tmp_path: Path) -> None:
    one, other = files(run)
    assert entry(read_result(one), one).key == entry(read_result(one), other).key
    assert entry(read_result(one), one).key != entry(read_result(other), other).key


@given(figure_names())
def test_tracker_names_use_only_characters_that_every_tracker_accepts(figure: str) -> None:
    name = plain(parse(figure, words=True))
    assert set(name) <= set(string.ascii_letters + string.digits + "_-./")
    assert not {".", "..", ""} & set(name.split("/"))


def test_tracker_names_that_become_equal_are_numbered(tmp_path: Path) -> None:
    folder = method_folder(tmp_path, "mpvss", 0.6)
    result = read_result(folder / "result.json")
    result.per_class = {"a b": 1.0, "a+b": 2.0, "../../x": 3.0}
    figures = entry(result, folder / "result.json").figures
    assert (figures["IoU/class_a_b"], figures["IoU/class_a_b_2"], figures["IoU/class_.._.._x"]) == (1.0, 2.0, 3.0)
