"""Flags: RunSpec's fields declare those of a run; a flag shared by several verbs has the same help everywhere."""

from __future__ import annotations

import inspect
from pathlib import Path
from typing import get_args

import pytest
from typer.models import OptionInfo

from tests.helpers.command import vssbench
from vssbench.bench.spec import RunSpec, load_spec
from vssbench.cli import doctor, predict, profile, run, score, texts, train
from vssbench.cli.options import IN_FILES_ONLY, given
from vssbench.errors import UserError

FLAGS = set(RunSpec.model_fields) - IN_FILES_ONLY


def options(verb) -> dict[str, OptionInfo]:
    parameters = inspect.signature(verb.command, eval_str=True).parameters
    return {
        name: one
        for name, parameter in parameters.items()
        for one in get_args(parameter.annotation)
        if isinstance(one, OptionInfo)
    }


def test_run_has_a_flag_for_every_run_spec_field() -> None:
    found = options(run)
    assert set(found) == FLAGS | {"output", "resume", "template", "no_latency", "as_json"}
    for name in FLAGS:
        assert found[name].help.startswith(RunSpec.model_fields[name].description)
        assert found[name].default == f"--{name.replace('_', '-')}"


@pytest.mark.parametrize(
    ("verb", "shared"),
    [
        (doctor, {"dataset", "split", "as_json"}),
        (score, {"dataset", "data_root", "split", "as_json"}),
        (train, {"dataset", "data_root", "device", "as_json"}),
        (predict, {"checkpoint", "device", "as_json"}),
        (profile, {"methods", "checkpoint", "device", "as_json"}),
    ],
)
def test_shared_flags_have_the_same_help_in_every_verb(verb, shared) -> None:
    assert {name: options(verb)[name].help for name in shared} == {name: options(run)[name].help for name in shared}


def test_threads_has_the_bounds_of_a_run_in_verbs_without_a_run_spec() -> None:
    for verb in (predict, profile, train):
        assert (options(verb)["threads"].min, options(verb)["threads"].max) == (1, 1024)


def test_flag_texts_become_run_spec_fields() -> None:
    flags = {"methods": ["oracle"], "sweep": ["offset=0..1"], "limit": 2, "data_root": None, "distances": ["0,3"]}
    spec = load_spec(None, given(flags | {"checkpoint": ["oracle=untrained"], "allow_untrained": True}))
    assert (spec.methods, spec.sweep, spec.limit) == (["oracle"], {"offset": [0, 1]}, 2)
    assert (spec.distances, spec.checkpoint, spec.allow_untrained) == ([0, 3], {"oracle": "untrained"}, True)


def test_sweep_flag_reads_lists_and_ranges() -> None:
    assert texts.sweep(["key_interval=1,2,5", "offset=0..3"]) == {"key_interval": [1, 2, 5], "offset": [0, 1, 2, 3]}
    for wrong in ("key_interval", "=1", "a b=1", "k="):
        with pytest.raises(UserError, match="--sweep"):
            texts.sweep([wrong])


@pytest.mark.parametrize(
    ("wrong", "fix"),
    [("1-5", "1..5"), ("1:5", "1..5"), ("1...5", "1..5"), ("1 – 5", "1..5"), ("5..1", "1..5")],
)
def test_misspelt_range_is_refused_with_the_correct_spelling(wrong: str, fix: str) -> None:
    """Otherwise an argument's value would be the text `1-5`, and the message would be about whole numbers."""
    for flag, read in (
        ("--sweep key_interval=", lambda text: texts.sweep([f"key_interval={text}"])),
        ("--distances ", lambda text: texts.distances([text])),
    ):
        with pytest.raises(UserError) as caught:
            read(wrong)
        assert caught.value.fix == f"{flag}{fix}"
        with pytest.raises(UserError, match="at most 1000"):
            read("0..5000")


def test_metrics_flag_reads_names_and_arguments() -> None:
    spec = load_spec(None, given({"metrics": ["mIoU, VC@8", "BIoU(width=0.2)"]}))
    assert spec.metrics == ["mIoU", "VC@8", "BIoU(width=0.2)"]
    with pytest.raises(UserError, match="--metrics: unknown metric 'mIuO'"):
        load_spec(None, given({"metrics": ["mIuO"]}))


def test_distances_flag_reads_lists_and_ranges() -> None:
    assert texts.distances(["0..3"]) == [0, 1, 2, 3]
    assert texts.distances(["6,0,3"]) == [0, 3, 6]
    assert texts.distances(["6", "0..2", "2"]) == [0, 1, 2, 6]
    for text in ("x", "0..", "1.5"):
        with pytest.raises(UserError, match="cannot be read"):
            texts.distances([text])


def test_stream_flag_reads_rates_of_one_flag_or_several() -> None:
    assert load_spec(None, given({"stream": ["10,29.97", "15"]})).stream.fps == [10, 29.97, 15]
    with pytest.raises(UserError, match="--stream '10,x' cannot be read"):
        texts.rates(["10", "x"])


def test_checkpoint_flag_reads_specs_paths_and_branches() -> None:
    files = texts.checkpoints(["mpvss(backbone=r50)=a=b.pth", "mpvss=c.pth", "arseg=hr:d,lr:e"])
    assert files == {"mpvss(backbone=r50)": "a=b.pth", "mpvss": "c.pth", "arseg": {"hr": "d", "lr": "e"}}
    for wrong in ("mpvss", "=a.pth", "mpvss=", "mpvss(backbone=r50)"):
        with pytest.raises(UserError, match="--checkpoint"):
            texts.checkpoints([wrong])
    with pytest.raises(UserError, match="twice"):
        texts.checkpoints(["mpvss=a", "mpvss=b"])


def test_tilde_in_a_path_is_the_home_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Shells do not expand the tilde in `--output=~/data`."""
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    small = "synthetic(clips=1,frames=2,height=16,width=16)"
    assert vssbench("export", small, "--layout", "camvid", "--output=~/data")[0] == 0
    assert {path.name for path in tmp_path.iterdir()} == {"data"}
    status, out, _ = vssbench("doctor", "--dataset", "camvid", "--data-root=~/data")
    assert (status, "clean: nothing found" in out) == (0, True)
    status, _, err = vssbench("report", "~/nothing", "--output=~/report")
    assert (status, str(tmp_path / "nothing") in err) == (2, True)
