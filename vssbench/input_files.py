"""Files and folders that a user names: `~` in their names, and what is there but is no file that ends."""

from __future__ import annotations

import stat
from pathlib import Path

from vssbench.errors import UserError

AGAIN = "copy or download the file again"


def expanded(path: str | Path) -> Path:
    """The path with a leading `~` or `~name` as a shell reads it: in quotes, YAML and specs no shell has seen it."""
    try:
        return Path(path).expanduser()
    except RuntimeError:
        raise UserError("no such user", where=path, expected="~ or ~name of a user with a home folder") from None


def require_regular(path: Path) -> None:
    """Raise UserError for a missing file, and for a pipe, a device or a socket, whose content may never end."""
    try:
        mode = path.stat().st_mode
    except (OSError, ValueError) as error:
        raise _unreadable(path, error) from None
    if not stat.S_ISREG(mode):
        kinds = {stat.S_IFDIR: "a folder", stat.S_IFIFO: "a pipe", stat.S_IFSOCK: "a socket"}
        kind = kinds.get(stat.S_IFMT(mode), "a device")
        raise UserError(f"cannot be read: {kind}, not a file", where=path, expected="a readable file")


def read_bytes(path: Path) -> bytes:
    """The content of a file; raises UserError for one that is missing, unreadable, empty or no regular file."""
    require_regular(path)
    try:
        data = path.read_bytes()
    except OSError as error:
        raise _unreadable(path, error) from None
    if not data:
        raise UserError("the file is empty", where=path, fix=AGAIN)
    return data


def _unreadable(path: Path, error: OSError | ValueError) -> UserError:
    why = getattr(error, "strerror", None) or error
    return UserError(f"cannot be read: {why}", where=path, expected="a readable file")
