"""An option given twice: lists are joined, and two values for one option are refused, in every verb."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import typer

from tests.helpers.command import vssbench
from vssbench.cli import app

VERBS = typer.main.get_command(app).commands  # type: ignore[attr-defined]
REPEATABLE = {
    "run": {"--methods", "--metrics", "--distances", "--sweep", "--stream", "--checkpoint"},
    "profile": {"--methods", "--checkpoint"},
    "predict": {"--checkpoint"},
    "train": {"--option"},
    "score": {"--metrics"},
    "report": {"--format", "--columns"},
    "verify": {"--checkpoint"},
    "cite": {"--figures"},
    "export-model": {"--checkpoint"},
}
OPTIONS = [(verb, one) for verb, made in VERBS.items() for one in made.params if one.param_type_name == "option"]
SINGLE = [(verb, one.opts[0]) for verb, one in OPTIONS if not one.multiple and not one.is_flag]
SMALL = "synthetic(clips=1,frames=4,height=16,width=16)"


def test_options_that_take_a_list_are_repeatable_and_say_so() -> None:
    found: dict[str, set[str]] = {}
    for verb, one in OPTIONS:
        if one.multiple:
            found.setdefault(verb, set()).add(one.opts[0])
            assert one.help.endswith("Repeatable."), (verb, one.opts)
        else:
            assert "," not in (one.metavar or ""), (verb, one.opts)
    assert found == REPEATABLE


@pytest.mark.parametrize(("verb", "option"), SINGLE)
def test_second_value_of_an_option_that_takes_one_is_refused(verb: str, option: str) -> None:
    assert vssbench(verb, option, "7", f"{option}=8") == (
        2, "", f"vssbench: {option} takes one value and has 2: 7, 8\n  fix: keep one\n",
    )  # fmt: skip


def test_same_value_twice_and_flags_twice_are_no_contradiction(tmp_path: Path) -> None:
    words = ("export", SMALL, "--layout", "camvid", "--output", tmp_path / "data")
    assert vssbench(*words, "--layout", "camvid").status == 0
    assert vssbench("list", "methods", "--json", "--json").status == 0


def test_lists_given_twice_are_joined(tmp_path: Path) -> None:
    run = tmp_path / "run"
    done = vssbench(
        "run", "--methods", "oracle", "--methods", "hold(of=oracle),flowwarp(of=oracle)", "--metrics", "mIoU",
        "--metrics", "WIoU", "--dataset", SMALL, "--no-latency", "--json", "--output", run,
    )  # fmt: skip
    assert done.status == 0, done.stderr
    found = json.loads(done.stdout)["methods"]
    assert list(found) == ["oracle", "hold(of=oracle)", "flowwarp(of=oracle)"]
    assert {"mIoU", "WIoU"} <= set(found["oracle"]["metrics"])
    table = vssbench("report", run, "--columns", "mIoU", "--columns", "WIoU,gflops").stdout
    assert all(f" {title} |" in table for title in ("mIoU", "WIoU", "GFLOPs"))
    page = vssbench("report", run, "--format", "md", "--format", "csv", "--output", tmp_path / "report")
    assert {Path(line).name for line in page.stdout.splitlines()} == {"leaderboard.md", "leaderboard.csv"}
    cited = vssbench(
        "cite", run, "--method", "oracle", "--figures", "mIoU", "--figures", "WIoU,mIoU"
    ).stdout.splitlines()
    assert [line.partition("|")[0] for line in cited] == ["mIoU", "WIoU"]


def test_profile_takes_methods_twice() -> None:
    words = ("--methods", "oracle", "--methods", "hold(of=oracle)", "--size", "32x32", "--no-latency", "--json")
    assert list(json.loads(vssbench("profile", *words).stdout)["methods"]) == ["oracle", "hold(of=oracle)"]


def test_training_option_named_twice_is_refused() -> None:
    words = ("--dataset", SMALL, "--option", "window=3", "--option", "window=5", "--dry-run")
    status, _, err = vssbench("train", "mrcfa", *words)
    assert (status, err.splitlines()[0]) == (2, "vssbench: --option names 'window' twice")
