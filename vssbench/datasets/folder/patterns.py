"""Patterns of file paths, `frames/{clip}/{frame}.jpg`: matched against a folder, with what was there if none matches.

{split}   the split that is opened, in folders' names
{clip}    the clip's name: of a folder, or the first part of a file's name (as long as possible); without it all
          frames are one clip, `video`
{frame}   the frame's name, in the last part; other text may surround it: frame_{frame}_endo.png
*         any text
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator, Mapping
from functools import cached_property
from itertools import islice
from pathlib import Path

from vssbench.datasets.listing import IMAGES, folders, natural, visible
from vssbench.errors import UserError, suggest

KNOWN = ("split", "clip", "frame")
_PART = re.compile(r"(\{[^{}]*\}|\*)")
_MOST_NAMES = 1000
WHOLE = "video"
"""The only clip of a pattern without {clip}."""


class Pattern:
    """A pattern. Raises ValueError, in words for the author, for text that is not a pattern."""

    def __init__(self, text: str):
        self.text = text
        *self.folders, self.file = text.removeprefix("./").split("/")
        places, such = re.findall(r"\{([^{}]*)\}", text), "such as frames/{clip}/{frame}.jpg"
        if unknown := [name for name in places if name not in KNOWN]:
            raise ValueError(f"{text!r} has an unknown placeholder {{{unknown[0]}}}; {suggest(unknown[0], KNOWN)}")
        if text.startswith("/") or "\\" in text or "" in (*self.folders, self.file):
            raise ValueError(f"{text!r} is not a relative path with / between its parts, {such}")
        if "{frame}" not in self.file or places.count("frame") > 1:
            raise ValueError(f"{text!r} must have {{frame}} once, in its last part, such as {{frame}}.png")
        if "{split}" in self.file:
            raise ValueError(f"{text!r} has {{split}} in a file's name; it belongs in a folder's")
        self.by_split, self.by_clip = "{split}" in text, "{clip}" in text
        self.clip_is_folder = any("{clip}" in part for part in self.folders)

    def __str__(self) -> str:
        return self.text


class Fitting(Mapping[str, Path]):
    """frame -> file in one folder, in natural order; paths are made from names on demand."""

    def __init__(self, folder: Path, names: Mapping[str, str]):
        self.folder, self.names = folder, names

    def __getitem__(self, frame: str) -> Path:
        return self.folder / self.names[frame]

    def __iter__(self) -> Iterator[str]:
        return iter(self.names)

    def __len__(self) -> int:
        return len(self.names)


class Found:
    """A pattern below `root`, for one split. A clip's folder is only read when its files are asked for.

    misfit: where nothing matches the pattern, what was found instead, in words
    """

    def __init__(self, pattern: Pattern, root: Path, split: str):
        self.pattern, self.root, self.split = pattern, root, split
        self._folders: list[tuple[Path, str | None]] = [(root, None)]
        self._stopped: tuple[Path, str] | None = None
        self._listed: dict[Path, dict[str, dict[str, str]]] = {}
        for part in pattern.folders:
            below = [step for folder, clip in self._folders for step in self._below(folder, clip, part)]
            if not below:
                self._stopped = (self._folders[0][0], part)
                break
            self._folders = below

    @cached_property
    def clips(self) -> dict[str, Path]:
        """Clip -> the folder with its files, in natural order."""
        found: dict[str, Path] = {}
        for folder, clip in [] if self._stopped else self._folders:
            for name in self._grouped(folder) if clip is None else (clip,):
                if name in found:
                    raise UserError(
                        f"two folders match the clip {name!r}", where=folder, fix=f"remove it or {found[name]}"
                    )
                found[name] = folder
        return {name: found[name] for name in sorted(found, key=natural)}

    def files(self, clip: str) -> Fitting:
        """frame -> file of a clip; empty for a missing clip."""
        folder = self.clips.get(clip)
        if folder is None:
            return Fitting(self.root, {})
        names = self._matched(folder, clip)[clip] if self.pattern.clip_is_folder else self._grouped(folder)[clip]
        return Fitting(folder, names)

    def nearly(self, clip: str) -> list[Path]:
        """Files in a clip's folder that would match in another case, or with another image format's suffix.

        Only frames named like the others count: a 00001_depth.png next to 00001.jpg is something else.
        """
        folder, (name, _, _) = self.clips.get(clip), self.pattern.file.rpartition(".")
        if folder is None or "{frame}" not in name:
            return []
        fits, frames = self._regex(name, clip), self.files(clip)
        loose = re.compile(fits.pattern, re.IGNORECASE)
        forms = {_form(frame) for frame in frames}
        return [
            path
            for path in visible(folder)
            if path.suffix.lower() in IMAGES
            and (match := loose.fullmatch(path.stem))
            and match["frame"] not in frames
            and _form(match["frame"]) in forms
        ]

    def has(self, clip: str) -> bool:
        """Whether any file of a clip exists."""
        folder = self.clips.get(clip)
        if folder is None or not self.pattern.clip_is_folder:
            return folder is not None
        fits = self._regex(self.pattern.file, clip)
        return any(fits.fullmatch(path.name) for path in visible(folder))

    @cached_property
    def misfit(self) -> str | None:
        if self._stopped is None and any(self.files(clip) for clip in self.clips):
            return None
        folder, part = self._stopped or (self._folders[0][0], self.pattern.file)
        if not folder.is_dir():
            return f"nothing matches {self.pattern}: no such folder {folder}"
        names = [path.name for path in islice(visible(folder), _MOST_NAMES)]
        near = sorted(difflib.get_close_matches(_PART.sub("", part), names, n=2, cutoff=0), key=natural)
        instead = f"but {' and '.join(map(repr, near))}" if near else "and nothing else"
        wanted = f"{'folder' if self._stopped else 'file'} {part.replace('{split}', self.split)}"
        return f"nothing matches {self.pattern}: in {folder} there is no {wanted}, {instead}"

    def _below(self, folder: Path, clip: str | None, part: str) -> Iterator[tuple[Path, str | None]]:
        """The matching folders one level down, each with its clip."""
        if not _PART.search(part.replace("{split}", self.split)):
            path = folder / part.replace("{split}", self.split)
            if path.is_dir():
                yield path, clip
            return
        fits = self._regex(part, clip)
        for child in folders(folder):
            if match := fits.fullmatch(child.name):
                yield child, match.groupdict().get("clip", clip)

    def _grouped(self, folder: Path) -> dict[str, dict[str, str]]:
        """The files of a folder by clip, where the files' names contain it."""
        if folder not in self._listed:
            self._listed[folder] = self._matched(folder, None)
        return self._listed[folder]

    def _matched(self, folder: Path, clip: str | None) -> dict[str, dict[str, str]]:
        """clip -> frame -> name, for the files that match. clip: where it is known from the folder"""
        fits = self._regex(self.pattern.file, clip)
        found: dict[str, dict[str, str]] = {} if clip is None else {clip: {}}
        for name in sorted((path.name for path in visible(folder)), key=natural):
            if match := fits.fullmatch(name):
                frames = found.setdefault(match.groupdict().get("clip", clip or WHOLE), {})
                if match["frame"] in frames:
                    raise UserError(
                        f"two images have the same name {match['frame']!r}",
                        where=folder,
                        fix=f"remove {name} or {frames[match['frame']]}",
                    )
                frames[match["frame"]] = name
        return {name: {stem: frames[stem] for stem in sorted(frames, key=natural)} for name, frames in found.items()}

    def _regex(self, part: str, clip: str | None) -> re.Pattern[str]:
        """Compile one part of the pattern. clip: its name where it is known"""
        written, seen = "", clip is not None
        for piece in _PART.split(part):
            if piece == "{clip}":
                written += re.escape(clip) if clip is not None else "(?P=clip)" if seen else "(?P<clip>.+)"
                seen = True
            else:
                named = {"*": ".*", "{frame}": "(?P<frame>.+)", "{split}": re.escape(self.split)}
                written += named.get(piece) or re.escape(piece)
        return re.compile(written)


def _form(frame: str) -> str:
    """A frame's name with every number replaced by the same mark."""
    return re.sub(r"[0-9]+", "0", frame)
