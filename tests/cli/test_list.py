"""`vssbench list`."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys

import pytest
import typer
from typer.testing import CliRunner

from vssbench import registry
from vssbench.cli.list import command
from vssbench.results.figures import named

app = typer.Typer()
app.command()(command)


def run(*arguments: str):
    return CliRunner().invoke(app, arguments)


@pytest.mark.parametrize("what", ["methods", "datasets", "metrics"])
def test_list_shows_every_name_with_its_summary(what: registry.Group) -> None:
    shown = run(what)
    assert shown.exit_code == 0
    lines = shown.stdout.splitlines()
    for name, entry in registry.entries(what).items():
        assert any(line.split()[:1] == [name] and line.endswith(entry.summary) for line in lines), name


def test_list_methods_shows_needs_and_papers() -> None:
    text = run("methods").stdout
    assert "needs: labels" in text
    assert "paper: Kroeger et al." in text


@pytest.mark.parametrize("what", ["methods", "datasets", "metrics"])
def test_list_json_is_one_object_and_nothing_else(what: registry.Group) -> None:
    shown = run(what, "--json")
    found = json.loads(shown.stdout)
    assert list(found) == [what]
    assert list(found[what]) == list(registry.entries(what))
    for entry in found[what].values():
        assert set(entry) == {"summary", "origin", "paper", "licence", "needs", "weights", "faster", "training"}
        assert "" not in entry.values()
        assert entry["origin"] == "vssbench"


def test_list_figures_shows_unit_direction_and_title() -> None:
    lines = [re.split(r"  +", line) for line in run("figures").stdout.splitlines()]
    assert [line[0] for line in lines] == [figure.name for figure in named()]
    assert ["fps(step)", "frames/s", "more is better", "FPS step"] in lines
    assert ["latency(p99,end_to_end)", "ms", "less is better", "latency p99 end to end (ms)"] in lines
    assert ["key_frames", "%", "key frames %"] in lines
    found = json.loads(run("figures", "--json").stdout)["figures"]
    assert found["gflops(key)"] == {
        "unit": "GMAC/frame", "better": "less", "title": "GFLOPs key", "machine": False, "metric": False,
    }  # fmt: skip
    assert (found["VC@8"]["metric"], found["energy"]["machine"]) == (True, True)


def test_unknown_group_is_refused_with_a_suggestion() -> None:
    shown = run("models")
    assert shown.exit_code == 2
    assert "models" in shown.output
    shown = run("method")
    assert (shown.exit_code, "did you mean 'methods'?" in shown.output) == (2, True)


def test_closed_stdout_is_not_a_failure() -> None:
    reading, writing = os.pipe()
    os.close(reading)
    command = [sys.executable, "-c", "from vssbench.cli import main; main()", "list", "methods"]
    done = subprocess.run(command, stdout=writing, stderr=subprocess.PIPE, text=True, check=False)
    os.close(writing)
    assert (done.returncode, done.stderr) == (0, "")


def test_published_numbers_show_their_sources_and_discrepancies() -> None:
    shown = run("published", "--dataset", "vspw", "--method", "mpvss swin-t")
    assert shown.exit_code == 0
    first, *others = shown.stdout.splitlines()
    assert first.startswith("MPVSS Swin-T, vspw val: mIoU 39.9, WIoU 62, VC@8 85.9, VC@16 80.4, 39.7 GFLOPs")
    assert "    MPVSS README, table of VSPW, https://github.com/ziplab/MPVSS" in others
    assert any("⚠ 114 M parameters printed, the official code counts 87.5" in line for line in others)


def test_published_numbers_as_json() -> None:
    found = json.loads(run("published", "--json", "--dataset", "camvid").stdout)
    assert list(found) == ["published", "recomputed"]
    assert {entry["dataset"] for entry in found["published"] + found["recomputed"]} == {"camvid"}
    by_name = {(entry["method"], entry["backbone"]): entry for entry in found["published"]}
    arseg = by_name["AR-Seg", "PSPNet-18"]
    assert (arseg["figures"]["mIoU"], arseg["protocol"], len(arseg["distances"])) == (70.48, "arseg", 12)
    assert by_name["TMANet", "R50"]["protocol"] is None


@pytest.mark.parametrize(
    ("arguments", "part"),
    [
        (["published", "--dataset", "camvit"], "did you mean 'camvid'?"),
        (["methods", "--dataset", "vspw"], "list methods has neither --dataset nor --method"),
    ],
)
def test_invalid_filter_is_one_error_message(arguments: list[str], part: str) -> None:
    assert part in str(run(*arguments).exception)


def test_listing_published_numbers_imports_no_heavy_packages() -> None:
    script = "import sys; from vssbench.cli import main; sys.argv = ['vssbench', 'list', 'published']; main()"
    code = f"import atexit, sys; atexit.register(lambda: print(*sys.modules, file=sys.stderr)); {script}"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0
    assert not {"torch", "pandas", "numpy", "matplotlib", "yaml", "scipy"} & set(done.stderr.split())
