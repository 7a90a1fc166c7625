"""Files and folders that a user names: `~` in their names, and their contents."""

from __future__ import annotations

import hashlib
from pathlib import Path

from vssbench.errors import UserError
from vssbench.files.atomic import regular

AGAIN = "copy or download the file again"


def expanded(path: str | Path) -> Path:
    """The path with a leading `~` or `~name` expanded, as no shell does for a path in quotes, in YAML or in a spec."""
    try:
        return Path(path).expanduser()
    except RuntimeError:
        raise UserError("no such user", where=path, expected="~ or ~name of a user with a home folder") from None


def located(path: str | Path) -> tuple[Path, str | None]:
    """Return the file, and the entry in it that the user named with "FILE#ENTRY", else None."""
    name, mark, entry = str(path).rpartition("#")
    return (Path(name), entry) if mark and not Path(path).exists() else (Path(path), None)


def read_bytes(path: Path) -> bytes:
    """Return the content of a file. Raises UserError if it is missing, unreadable, empty or not a regular file."""
    try:
        data = regular(path, "a readable file").read_bytes()
    except OSError as error:
        raise UserError(f"cannot be read: {error.strerror}", where=path, expected="a readable file") from None
    if not data:
        raise UserError("the file is empty", where=path, fix=AGAIN)
    return data


def contents(place: Path) -> str:
    """SHA-256, hexadecimal, of a file, or of the names and files in a folder. Raises UserError like `read_bytes`."""
    try:
        if not place.is_dir():
            with regular(place, "a readable file").open("rb") as opened:
                return hashlib.file_digest(opened, "sha256").hexdigest()
        whole = hashlib.sha256()
        for file in sorted(file for file in place.rglob("*") if file.is_file()):
            whole.update(f"{file.relative_to(place)} {contents(file)}\n".encode("utf-8", "surrogateescape"))
        return whole.hexdigest()
    except OSError as error:
        raise UserError(f"cannot be read: {error.strerror}", where=place, expected="a readable file") from None
