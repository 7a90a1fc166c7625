"""Files: anything but a regular file is refused before it is opened, and each writer has its own file."""

from __future__ import annotations

import os
import re
import socket
from pathlib import Path

import pytest

from vssbench.errors import UserError
from vssbench.files.atomic import occupied, regular, replace, write_text
from vssbench.files.yaml_file import read_yaml


def test_missing_or_irregular_file_is_one_error_message(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
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


def test_link_to_a_file_is_accepted(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    (tmp_path / "link").symlink_to("file")
    assert regular(tmp_path / "link") == tmp_path / "link"


def test_reading_yaml_from_a_pipe_is_refused(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "bench.yaml")
    with pytest.raises(UserError, match="is a pipe, not a file"):
        read_yaml(tmp_path / "bench.yaml")


def test_two_writers_of_one_file_leave_one_complete_version(tmp_path: Path) -> None:
    def write(part: Path) -> None:
        part.write_text("first, begun")
        replace(tmp_path / "file", lambda other: other.write_text("second"))  # while the first is being written
        assert (tmp_path / "file").read_text() == "second"
        with part.open("a") as file:
            file.write(" and ended")

    replace(tmp_path / "file", write)
    assert (tmp_path / "file").read_text() == "first, begun and ended"
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_failed_writer_leaves_no_file(tmp_path: Path) -> None:
    def write(part: Path) -> None:
        part.write_text("half")
        raise RuntimeError("no more")

    with pytest.raises(RuntimeError):
        replace(tmp_path / "file", write)
    assert not occupied(tmp_path)
    assert not list(tmp_path.iterdir())


def test_file_name_of_maximum_length_can_be_written(tmp_path: Path) -> None:
    write_text(tmp_path / ("x" * 255), "text")
    assert (tmp_path / ("x" * 255)).read_text() == "text"
