"""Files: `~` in their names; what is no regular file is refused before it is opened."""

from __future__ import annotations

import os
import re
import socket
from pathlib import Path

import pytest

from vssbench.atomic import expanded, regular
from vssbench.datasets.export import write
from vssbench.datasets.synthetic.dataset import Synthetic
from vssbench.errors import UserError
from vssbench.load import load_dataset, load_method
from vssbench.yaml_file import read_yaml


def test_what_is_no_regular_file_is_one_message(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    os.mkfifo(tmp_path / "pipe")
    with socket.socket(socket.AF_UNIX) as listening:
        monkeypatch.chdir(tmp_path)  # a socket's path may be no longer than 108 characters
        listening.bind("socket")
        kinds = {"pipe": "is a pipe", "socket": "is a socket", "/dev/zero": "is a device", ".": "is a folder"}
        kinds |= {
            "absent": "no such file",
            "x" * 5000: "File name too long",
            "a\0b": "null",
            "pipe/a": "Not a directory",
        }
        for name, words in kinds.items():
            with pytest.raises(UserError, match=re.escape(words)) as error:
                regular(Path(name), "a file")
            assert str(error.value).count("\n") <= 1


def test_a_link_to_a_file_is_a_file(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    (tmp_path / "link").symlink_to("file")
    assert regular(tmp_path / "link") == tmp_path / "link"


def test_a_tilde_is_the_home_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    assert expanded("~/a") == tmp_path / "a"
    assert expanded("a/~") == Path("a/~")
    with pytest.raises(UserError, match="no such user"):
        expanded("~nobody-of-that-name/a")


def test_it_is_so_in_roots_and_specs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "predictions").mkdir()
    write(tmp_path / "clip/1.png", next(Synthetic(height=16, width=16).frames("val_0000")).image)
    assert load_dataset("frames", "~/clip").clips() == ["clip"]
    assert load_method("replay(predictions=~/predictions)").root == tmp_path / "predictions"
    with pytest.raises(UserError, match=str(tmp_path / "weights.pth")):
        load_method("psp18(labels=camvid)", "~/weights.pth")


def test_a_pipe_is_no_yaml(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "bench.yaml")
    with pytest.raises(UserError, match="is a pipe, not a file"):
        read_yaml(tmp_path / "bench.yaml")
