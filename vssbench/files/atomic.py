"""Files that are complete or absent: replaced in one step, with one writer per folder; pipes are not read."""

from __future__ import annotations

import errno
import json
import os
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from vssbench.errors import UserError

if TYPE_CHECKING:
    from filelock import FileLock

PART = ".part"
"""The suffix of a file that is being written."""


def regular(path: Path, expected: str | None = None) -> Path:
    """Return the path if it is a regular file: reading a pipe would block, and reading /dev/zero would never end.

    Raises UserError if it is missing, or a folder, pipe, device or socket. expected: for its message
    """
    try:
        mode = path.stat().st_mode
    except FileNotFoundError:
        raise UserError("no such file", where=path, expected=expected) from None
    except (OSError, ValueError) as error:  # a name too long or with a null character, a folder without access
        raise UserError(f"cannot be read: {getattr(error, 'strerror', None) or error}", where=path) from None
    if not stat.S_ISREG(mode):
        kinds = {stat.S_IFDIR: "folder", stat.S_IFIFO: "pipe", stat.S_IFSOCK: "socket"}
        raise UserError(f"is a {kinds.get(stat.S_IFMT(mode), 'device')}, not a file", where=path, expected=expected)
    return path


def write_text(path: Path, text: str) -> None:
    """Replace a file in one step: a reader sees the old one or the new one, never part of one."""

    def write(part: Path) -> None:
        handle = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644)
        try:
            _write_all(handle, text.encode(errors="backslashreplace"))  # for names that are not UTF-8; exact in JSON
        finally:
            os.close(handle)

    replace(path, write)


def replace(path: Path, write: Callable[[Path], object]) -> None:
    """Replace a file in one step with what `write` puts into a temporary file."""
    part = path.with_name(f".{uuid4().hex}{PART}")
    try:
        write(part)
        handle = os.open(part, os.O_RDWR)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
        os.replace(part, path)
        if os.name == "posix":  # Windows cannot open folders
            folder = os.open(path.parent, os.O_RDONLY)
            try:
                os.fsync(folder)
            finally:
                os.close(folder)
    except OSError as error:
        raise disk_error(error, path) from None
    finally:
        part.unlink(missing_ok=True)


def append(path: Path, data: bytes) -> None:
    """Append to a file; the bytes are on disk when this returns."""
    try:
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
        try:
            _write_all(handle, data)
            os.fsync(handle)
        finally:
            os.close(handle)
    except OSError as error:
        raise disk_error(error, path) from None


def drop_cut_line(path: Path) -> None:
    """Cut off a line whose writing was interrupted, so that the next one starts clean."""
    data = path.read_bytes() if path.exists() else b""
    if not data.endswith(b"\n") and data:
        os.truncate(path, data.rfind(b"\n") + 1)


def write_json(path: Path, value: Any) -> None:
    write_text(path, json.dumps(value, indent=1, ensure_ascii=False) + "\n")


def read_json(path: Path) -> Any:
    try:
        return json.loads(regular(path).read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise UserError(f"cannot be read: {error}", where=path, fix="delete it and run again with --resume") from None


def _write_all(handle: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(handle, view) :]


def claim(folder: Path) -> None:
    """Make the folder. Raises UserError unless it is new or empty."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        filled = any(folder.iterdir())
    except OSError as error:
        raise UserError(
            f"cannot be written to: {error.strerror}", where=folder, expected="a new or empty folder"
        ) from None
    if filled:
        raise UserError("this folder already holds files", where=folder, fix="name a new folder in --output")


@contextmanager
def new_folder(folder: Path) -> Iterator[None]:
    """Run with a folder from `claim`, which is emptied again after a failure in this context."""
    claim(folder)
    try:
        yield
    except BaseException:
        for file in folder.iterdir():
            file.unlink()
        raise


def hold(folder: Path) -> FileLock:
    """Make the folder and lock it, until the returned lock is released or this process ends."""
    from filelock import FileLock, Timeout  # here, since the registry reads files and needs no package

    lock = FileLock(folder / ".lock", blocking=False)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock.acquire()
    except Timeout:
        raise UserError(
            "another vssbench process is writing here", where=folder, fix="wait for it, or choose another --output"
        ) from None
    except OSError as error:
        raise disk_error(error, folder) from None
    return lock


def occupied(folder: Path) -> bool:
    """Whether the folder holds more than a run that measured nothing leaves behind."""
    left = {".lock", "run.json", "identity.json"}
    return any(path.is_file() and path.name not in left and path.suffix != PART for path in folder.rglob("*"))


def disk_error(error: OSError, path: Path) -> UserError:
    fixes = {
        errno.ENOSPC: "free some space, then continue with --resume: every finished clip is kept",
        errno.EROFS: "choose an --output that can be written",
        errno.EACCES: "choose an --output that can be written",
        errno.EEXIST: "name a folder in --output; this is a file",
        errno.ENOTDIR: "name a folder in --output; a part of this path is a file",
    }
    return UserError(
        f"cannot be written: {error.strerror or error}",
        where=path,
        fix=fixes.get(error.errno or 0, "fix the cause, then continue with --resume: every finished clip is kept"),
    )
