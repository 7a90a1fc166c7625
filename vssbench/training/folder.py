"""The folder of one training: its description, its progress and its files.

    <output>/training.json        the recipe, its settings, digests of the data, the commit; --resume refuses changes
    <output>/log.jsonl            a line for each logged step or validation
    <output>/state.pt             networks, optimiser and step, to continue from; removed when training is finished
    <output>/curves.png           loss and validation over the steps
    <output>/<name>.safetensors   the weights, with what training.json says in their header

Whole files are replaced atomically, so an interruption leaves the last complete one.
"""

from __future__ import annotations

import json
import pickle
from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from vssbench.errors import UserError
from vssbench.files.atomic import hold, occupied, read_json, replace, write_json, write_text
from vssbench.networks import checkpoints

IDENTITY = (
    *("method", "labels", "classes", "start", "settings", "options", "dataset", "split", "limit", "fingerprint"),
    *("data", "files", "codec", "precision", "processes"),
)
"""The keys that the weights depend on, which must be unchanged when a training is resumed."""

STATE = "state.pt"


class TrainingFolder:
    """One training's folder, held exclusively."""

    def __init__(self, folder: Path, asked: dict[str, Any], resume: bool, main: bool = True):
        """asked: JSON, with the keys of IDENTITY; main: this process writes, others of the same training only read.

        Raises UserError for a folder with different content.
        """
        self.folder, self.asked = folder, json.loads(json.dumps(asked))
        self._lock = hold(folder) if main else None
        if not main:
            return
        try:
            self._open(resume)
        except BaseException:
            self.close()
            raise

    def _open(self, resume: bool) -> None:
        record = self.folder / "training.json"
        if resume and record.exists():
            before = read_json(record)
            if not isinstance(before, dict):
                raise UserError("was not written by a training run", where=record, fix="choose another --output")
            if not (self.folder / STATE).exists() and any(self.folder.glob("*.safetensors")):
                raise UserError("this training is finished", where=self.folder, fix="choose another --output")
            if told := ", ".join(line for key in IDENTITY for line in _changes(key, before.get(key), self.asked[key])):
                raise UserError(
                    f"was started under different conditions: {told}", where=record, fix="choose another --output"
                )
        elif occupied(self.folder):
            fix = "choose another --output" + ("" if resume else ", or add --resume")
            raise UserError("this folder already holds files", where=self.folder, fix=fix)
        else:
            write_json(record, self.asked)

    def close(self) -> None:
        if self._lock is not None:
            self._lock.release()

    def state(self) -> dict[str, Any] | None:
        """The state that `keep` wrote last, or None."""
        path = self.folder / STATE
        if not path.exists():
            return None
        try:
            state: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
        except (OSError, RuntimeError, pickle.UnpicklingError) as error:
            raise UserError(
                f"cannot be read: {error}", where=path, fix="delete the folder's files and train again"
            ) from None
        return state

    def keep(self, state: dict[str, Any]) -> None:
        """Write the state that is needed to continue."""
        replace(self.folder / STATE, lambda part: torch.save(state, part))

    def log(self, **entry: Any) -> None:
        """Append a line to the log."""
        with (self.folder / "log.jsonl").open("a", encoding="utf-8") as file:
            file.write(json.dumps(entry) + "\n")

    def rewind(self, step: int) -> None:
        """Drop what was logged after that many steps, because the steps after it are repeated."""
        path = self.folder / "log.jsonl"
        if path.exists():
            kept = [line for line in path.read_text(encoding="utf-8").splitlines() if _step(line) <= step]
            write_text(path, "".join(line + "\n" for line in kept))

    def finish(self, weights: Mapping[str, Mapping[str, Tensor]]) -> dict[str, Path]:
        """Write the weights, and remove the state, which is no longer needed. Returns name -> file."""
        # A single entry: the header has no fixed order for several, and equal trainings must result in equal bytes.
        metadata = {"training": json.dumps(self.asked, sort_keys=True)}
        paths = {name: self.folder / f"{name}.safetensors" for name in weights}
        for name, path in paths.items():
            replace(path, partial(checkpoints.save, tensors=weights[name], metadata=metadata))
        (self.folder / STATE).unlink(missing_ok=True)
        return paths


def _changes(name: str, before: Any, now: Any) -> Iterator[str]:
    """Yield what has changed in a value, key by key."""
    if isinstance(before, dict) and isinstance(now, dict):
        for key in sorted({*before, *now}):
            yield from _changes(f"{name} {key}", before.get(key), now.get(key))
    elif before != now:
        yield f"{name} {before!r}, now {now!r}"


def _step(line: str) -> int:
    try:
        return int(json.loads(line)["step"])
    except (ValueError, KeyError, TypeError):  # a line cut short by an interruption
        return 2**62
