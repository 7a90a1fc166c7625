"""Paths as users write them, and what the files hold."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from vssbench.datasets.export import write
from vssbench.datasets.synthetic.dataset import Synthetic
from vssbench.errors import UserError
from vssbench.files.input_files import expanded, read_bytes
from vssbench.load import load_dataset, load_method


def test_leading_tilde_expands_to_the_home_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    assert expanded("~/a") == tmp_path / "a"
    assert expanded("a/~") == Path("a/~")
    with pytest.raises(UserError, match="no such user"):
        expanded("~nobody-of-that-name/a")


def test_tilde_expands_in_data_roots_specs_and_checkpoints(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "predictions").mkdir()
    write(tmp_path / "clip/1.png", next(Synthetic(height=16, width=16).frames("val_0000")).image)
    assert load_dataset("frames", "~/clip").clips() == ["clip"]
    assert load_method("replay(predictions=~/predictions)").root == tmp_path / "predictions"
    with pytest.raises(UserError, match=str(tmp_path / "weights.pth")):
        load_method("psp18(labels=camvid)", "~/weights.pth")


def test_pipe_or_missing_or_empty_file_is_one_error_message(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "empty").touch()
    for name, what in (("pipe", "is a pipe, not a file"), ("nothing", "no such file"), ("empty", "the file is empty")):
        with pytest.raises(UserError, match=what):
            read_bytes(tmp_path / name)
