"""`vssbench list`."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from functools import partial
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from tests.helpers.command import vssbench
from tests.helpers.paths import ROOT
from vssbench import registry
from vssbench.cli.arguments import described
from vssbench.cli.list import command
from vssbench.errors import UserError, suggest
from vssbench.load import check_arguments
from vssbench.metrics import plan
from vssbench.metrics.accuracy.protocols import PROTOCOLS
from vssbench.results.figures import named
from vssbench.specs import Spec

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


@pytest.mark.parametrize("what", ["methods", "datasets", "metrics"])
def test_every_argument_is_listed_with_its_meaning_and_a_default_that_fits(what: registry.Group) -> None:
    found = json.loads(run(what, *registry.entries(what), "--json").stdout)[what]
    assert list(found) == list(registry.entries(what))
    for name, entry in found.items():
        for key, one in entry["arguments"].items():
            assert set(one) == {"default", "required", "choices", "meaning"}
            assert one["meaning"], (name, key)
            if what == "metrics" or one["required"]:
                continue
            needed = [other for other, its in entry["arguments"].items() if its["required"]]
            for value in one["choices"] or [one["default"]]:
                check_arguments(what, Spec(name, ((key, value), *((other, "x") for other in needed))))


@pytest.mark.parametrize(("what", "name"), [("methods", "mpvss"), ("datasets", "strided"), ("metrics", "TC")])
def test_listed_arguments_are_those_that_the_message_about_an_unknown_one_names(
    what: registry.Group, name: str
) -> None:
    check = plan.check if what == "metrics" else partial(check_arguments, what)
    with pytest.raises(UserError) as caught:
        check(Spec(name, (("zzz", 1),)))
    listed = json.loads(run(what, name, "--json").stdout)[what][name]["arguments"]
    assert caught.value.expected == suggest("zzz", listed)


def test_arguments_are_lines_with_default_values_and_meaning() -> None:
    lines = run("methods", "hold", "mpvss(backbone=r50)").stdout.splitlines()
    assert [line.split()[0] for line in lines if not line.startswith(" ")] == ["hold", "mpvss"]
    assert "  of (needed)     spec of the method to run on key frames" in lines
    assert any(line.startswith("  decode=exact      exact|fast; exact: the official order") for line in lines)
    assert any(line.startswith("  backbone=none     tiny|r50|") for line in lines)
    assert any(line.startswith("  dtype=float32     float32|bf16|fp16; number format") for line in lines)
    assert "  no arguments" in run("datasets", "vspw").stdout.splitlines()
    assert "  width=0.02     share of the image's diagonal, above 0 and up to 0.5" in run("metrics", "BIoU").stdout
    assert described(None) == ["  arguments: not stated"]


def test_method_in_a_file_is_listed_with_its_arguments(tmp_path: Path) -> None:
    file = tmp_path / "mine.py"
    file.write_text(
        "class Mine:\n"
        '    """Say hello.\n\n    often: how many times,\n        at most\n    """\n\n'
        "    def __init__(self, device, often: int = 3, loud=False, *rest, **more): ...\n"
    )
    shown = run("methods", f"{file}:Mine")
    assert shown.stdout.splitlines()[-2:] == ["  often=3     how many times, at most", "  loud=false"]


@pytest.mark.parametrize(
    ("arguments", "part"),
    [
        (["methods", "mvpss"], "did you mean 'mpvss'?"),
        (["datasets", "campus"], "unknown dataset 'campus'"),
        (["metrics", "mIuO"], "did you mean 'mIoU'?"),
        (["protocols", "mmsg"], "did you mean 'mmseg'?"),
        (["figures", "mIoU"], "list figures takes no names"),
    ],
)
def test_unknown_name_is_one_error_message(arguments: list[str], part: str) -> None:
    assert part in str(run(*arguments).exception)


def test_protocols_have_a_line_each_and_a_description() -> None:
    lines = run("protocols").stdout.splitlines()
    assert [line.split()[0] for line in lines] == list(PROTOCOLS)
    assert all(line.endswith(one.summary) for line, one in zip(lines, PROTOCOLS.values(), strict=True))
    assert max(map(len, lines)) <= 120
    found = json.loads(run("protocols", "--json").stdout)["protocols"]
    assert found["mmseg"] == {"summary": PROTOCOLS["mmseg"].summary, "description": PROTOCOLS["mmseg"].description}
    assert list(json.loads(run("protocols", "vspw", "exact", "--json").stdout)["protocols"]) == ["vspw", "exact"]
    first, second = run("protocols", "arseg").stdout.splitlines()
    assert (first.startswith("arseg  "), second.strip()) == (True, PROTOCOLS["arseg"].description)


@pytest.mark.parametrize("verb", ["run", "score", "report", "cite"])
def test_help_of_protocol_names_the_command_that_lists_them(verb: str) -> None:
    text = " ".join(vssbench(verb, "--help").stdout.partition("  --protocol ")[2].split())
    assert "`vssbench list protocols`" in text.partition(" --")[0]


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


def test_description_file_is_a_folder_as_for_dataset(tmp_path: Path) -> None:
    file = tmp_path / "my clips.yaml"
    file.write_bytes((ROOT / "vssbench/datasets/folder/descriptions/davis.yaml").read_bytes())
    shown = run("datasets", str(file))
    assert shown.exit_code == 0
    assert shown.stdout.splitlines()[0].startswith("folder ")
    assert "file (needed)" in shown.stdout


def test_missing_or_truncated_description_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "cut.yaml").write_text("classes: [a")
    for name in ("cut.yaml", "missing.yaml"):
        done = vssbench("list", "datasets", tmp_path / name)
        assert (done.status, name in done.stderr, "Traceback" in done.stderr) == (2, True, False)


def test_unknown_group_is_refused_with_a_suggestion() -> None:
    shown = run("models")
    assert shown.exit_code == 2
    assert "models" in shown.output
    for near in ("method", "protocol"):
        shown = run(near)
        assert (shown.exit_code, f"did you mean '{near}s'?" in shown.output) == (2, True)


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
        (["published", "--method", "mpvsss", "--dataset", "vspw"], "nothing is published here of 'mpvsss' on vspw"),
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
