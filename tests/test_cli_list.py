"""`vssbench list`."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest
import typer
from typer.testing import CliRunner

from vssbench import registry
from vssbench.cli.list import command

app = typer.Typer()
app.command()(command)


def run(*arguments: str):
    return CliRunner().invoke(app, arguments)


@pytest.mark.parametrize("what", ["methods", "datasets", "metrics"])
def test_every_name_with_its_summary(what: registry.Group) -> None:
    shown = run(what)
    assert shown.exit_code == 0
    lines = shown.stdout.splitlines()
    for name, entry in registry.entries(what).items():
        assert any(line.split()[:1] == [name] and line.endswith(entry.summary) for line in lines), name


def test_details() -> None:
    text = run("methods").stdout
    assert "needs: labels" in text
    assert "paper: Kroeger et al." in text


@pytest.mark.parametrize("what", ["methods", "datasets", "metrics"])
def test_json_is_one_object_and_nothing_else(what: registry.Group) -> None:
    shown = run(what, "--json")
    found = json.loads(shown.stdout)
    assert list(found) == [what]
    assert list(found[what]) == list(registry.entries(what))
    for entry in found[what].values():
        assert set(entry) == {"summary", "origin", "paper", "licence", "needs", "weights", "training"}
        assert "" not in entry.values()
        assert entry["origin"] == "vssbench"


def test_unknown_group() -> None:
    shown = run("models")
    assert shown.exit_code == 2
    assert "models" in shown.output


def test_a_reader_that_has_seen_enough_is_no_failure() -> None:
    reading, writing = os.pipe()
    os.close(reading)
    command = [sys.executable, "-c", "from vssbench.cli import main; main()", "list", "methods"]
    done = subprocess.run(command, stdout=writing, stderr=subprocess.PIPE, text=True, check=False)
    os.close(writing)
    assert (done.returncode, done.stderr) == (0, "")
