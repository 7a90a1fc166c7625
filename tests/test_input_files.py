"""Paths as users write them, and what is there but is no file to read."""

import os
from pathlib import Path

import pytest

from vssbench.errors import UserError
from vssbench.input_files import expanded, read_bytes, require_regular
from vssbench.load import load_dataset, load_method
from vssbench.yaml_file import read_yaml


def test_a_tilde_is_the_home_folder(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    assert expanded("~/a") == tmp_path / "a"
    assert expanded("a/~") == Path("a/~")
    with pytest.raises(UserError, match="no such user"):
        expanded("~nobody-of-that-name/a")


def test_it_is_so_in_roots_and_specs(tmp_path, monkeypatch):
    from vssbench.datasets.export import write
    from vssbench.datasets.synthetic.dataset import Synthetic

    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "predictions").mkdir()
    write(tmp_path / "clip/1.png", next(Synthetic(height=16, width=16).frames("val_0000")).image)
    assert load_dataset("frames", "~/clip").clips() == ["clip"]
    assert load_method("replay(predictions=~/predictions)").root == tmp_path / "predictions"
    with pytest.raises(UserError, match=str(tmp_path / "weights.pth")):
        load_method("psp18(labels=camvid)", "~/weights.pth")


def test_pipes_devices_and_folders_are_refused_before_they_are_opened(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    for path, what in ((tmp_path / "pipe", "a pipe"), (Path("/dev/zero"), "a device"), (tmp_path, "a folder")):
        for read in (read_bytes, require_regular, read_yaml):
            with pytest.raises(UserError, match=f"cannot be read: {what}, not a file"):
                read(path)
    with pytest.raises(UserError, match="cannot be read: No such file"):
        read_bytes(tmp_path / "nothing")
    (tmp_path / "empty").touch()
    with pytest.raises(UserError, match="the file is empty"):
        read_bytes(tmp_path / "empty")
