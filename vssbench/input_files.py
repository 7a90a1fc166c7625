"""Files and folders that a user names: `~` in their names, and what they hold."""

from __future__ import annotations

from pathlib import Path

from vssbench.atomic import regular
from vssbench.errors import UserError

AGAIN = "copy or download the file again"


def expanded(path: str | Path) -> Path:
    """The path with a leading `~` or `~name` as a shell reads it: in quotes, YAML and specs no shell has seen it."""
    try:
        return Path(path).expanduser()
    except RuntimeError:
        raise UserError("no such user", where=path, expected="~ or ~name of a user with a home folder") from None


def located(path: str | Path) -> tuple[Path, str | None]:
    """The file, and the entry in it that the user named with "FILE#ENTRY", else None."""
    name, mark, entry = str(path).rpartition("#")
    return (Path(name), entry) if mark and not Path(path).exists() else (Path(path), None)


def read_bytes(path: Path) -> bytes:
    """The content of a file; raises UserError for one that is missing, unreadable, empty or no regular file."""
    try:
        data = regular(path, "a readable file").read_bytes()
    except OSError as error:
        raise UserError(f"cannot be read: {error.strerror}", where=path, expected="a readable file") from None
    if not data:
        raise UserError("the file is empty", where=path, fix=AGAIN)
    return data
