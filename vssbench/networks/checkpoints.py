"""Read weights without running any code from the file, and load them strictly.

The formats are torch files (`weights_only`), the detectron2 model zoo's pickles of NumPy arrays (through an unpickler
that builds only arrays and plain containers), safetensors, and folders written by transformers' `save_pretrained`
(safetensors only). Torch is imported when a file is read, not before.
"""

from __future__ import annotations

import hashlib
import json
import pickle
import re
import warnings
import zipfile
import zlib
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vssbench.datasets.digest import of_file
from vssbench.errors import UserError, first_line, listed
from vssbench.files.atomic import regular
from vssbench.files.input_files import located
from vssbench.networks import numpy_pickle, packaged, safe_pickle
from vssbench.networks.state_dicts import state_dict
from vssbench.networks.training_record import record_in
from vssbench.types import Weights

if TYPE_CHECKING:
    import torch

FORMATS = "a torch file (.pth), a model-zoo pickle of arrays (.pkl), a .safetensors file, or a save_pretrained folder"
_FOLDER = "a folder written by save_pretrained: config.json and model.safetensors"
_STATE_DICT = "where the file was made, save the tensors alone: torch.save(network.state_dict(), FILE)"
_TORCH_LEGACY = b"\x80\x02\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19"
_SHARD = re.compile(r"[\w.-]{1,200}\.safetensors")
_DAMAGED = "the archive is cut short, damaged, or not torch's"
_SHOWN = 120
"""The most characters of an entry's name that a message shows."""
DERIVED = re.compile(
    r"(^|\.)(num_batches_tracked|relative_position_index(_0|_clips_\d)?|valid_ind_rolled)$|(^|\.)criterion\."
)


@dataclass(frozen=True)
class Checkpoint:
    """The content of a file.

    tensors:  entries by the file's own names, on the CPU, without the common prefix that trainers add
    sha256:   of the file, hexadecimal; of the sorted files' digests for a folder of shards; if one entry of a file
              was asked for, of the file's digest and the entry's name
    config:   config.json of a transformers folder, else None
    metadata: the header of a safetensors file
    prefix:   what was removed from every name, such as "module."
    note:     which of several state dicts was taken, None if there was no choice
    """

    path: Path
    sha256: str
    tensors: dict[str, torch.Tensor]
    config: dict[str, Any] | None = None
    metadata: dict[str, str] = field(default_factory=dict)
    prefix: str = ""
    note: str | None = None

    @property
    def weights(self) -> Weights:
        """The record of this file in results."""
        return replace(packaged.record(self.path, self.sha256), note=self.note)

    @property
    def trained(self) -> dict[str, Any]:
        """What `vssbench train` wrote into the header (method, labels, dataset, ...); empty for any other file."""
        return record_in(self.metadata)


@dataclass(frozen=True)
class Part:
    """The source of an entry: the `index`-th of `count` equal pieces along the first axis of the file's entry."""

    name: str
    index: int = 0
    count: int = 1


def read(path: str | Path) -> Checkpoint:
    """Read the tensors of a file or folder. Raises UserError for a missing, truncated, foreign or hostile one.

    "FILE#ENTRY" takes that entry of a file that holds several state dicts ("run.pth#model_ema").
    """
    if isinstance(path, Mapping):
        raise UserError("this method takes one file", where=path, expected=FORMATS)
    if Path(path).is_dir():
        return _read_folder(Path(path))
    path, wanted = located(path)
    regular(path, FORMATS)
    metadata: dict[str, str] = {}
    head = b""
    try:
        with path.open("rb") as file:
            head = file.read(16)
        if head[8:9] == b"{":
            content, metadata = _read_safetensors(path)
        elif head[:2] == b"PK" or head.startswith(_TORCH_LEGACY):
            content = _read_torch(path, zipped=head[:2] == b"PK")
        else:
            content = numpy_pickle.load(path)
    except Exception as error:  # whatever the readers raise on a broken file, the file is at fault
        fix = _STATE_DICT if "the file asks for" in str(error) else None
        raise UserError(
            f"cannot be read as weights: {_cause(head, error)}", where=path, expected=FORMATS, fix=fix
        ) from None
    tensors, prefix, note = state_dict(content, path, wanted, FORMATS)
    digest = of_file(path)
    if wanted is not None:
        path, digest = path.with_name(f"{path.name}#{wanted}"), _digest([digest.encode(), wanted.encode()])
    return Checkpoint(path, digest, tensors, metadata=metadata, prefix=prefix, note=note)


def save(path: str | Path, tensors: Mapping[str, torch.Tensor], metadata: Mapping[str, str] | None = None) -> None:
    """Write our own format: safetensors with the module's state-dict names; equal tensors result in equal bytes."""
    from safetensors.torch import save

    data = save({name: tensor.contiguous() for name, tensor in tensors.items()}, dict(metadata or {}))
    Path(path).write_bytes(_in_order(data))  # a file written by the library is readable only by its owner


def _in_order(data: bytes) -> bytes:
    """Sort the entries in a safetensors file's header: the library writes metadata in arbitrary order."""
    length = 8 + int.from_bytes(data[:8], "little")
    header = json.dumps(json.loads(data[8:length]), sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()
    header += b" " * (-len(header) % 8)  # the tensors after it stay aligned
    return len(header).to_bytes(8, "little") + header + data[length:]


def load_strict(
    module: torch.nn.Module,
    checkpoint: Checkpoint,
    rename: Callable[[str], str | Part] = str,
    expected: str | None = None,
    fix: str | None = None,
) -> None:
    """Fill the module from the file, or change nothing and raise one UserError with every entry that does not fit.

    rename:   the module's state-dict name -> the file's name (a Part if the file holds several entries in one)
    expected: what the file should have been, for the message; fix: what may help if it is not
    Buffers that follow from the architecture (`num_batches_tracked`, `relative_position_index`, `criterion.*`, ...)
    are not read and may be absent. Floating-point types are converted; other types and non-finite values are
    refused.
    """
    targets = {name: tensor for name, tensor in module.state_dict().items() if not DERIVED.search(name)}
    sources = {name: source if isinstance(source := rename(name), Part) else Part(source) for name in targets}
    wanted = {source.name for source in sources.values()}
    given = _named_as(wanted, checkpoint)
    misfits = {
        source.name: problem
        for name, source in sources.items()
        if source.name in given and (problem := _misfit(given[source.name], targets[name], source))
    }
    refuse(
        checkpoint,
        wanted - given.keys(),
        given.keys() - wanted,
        {f"{name} ({problem})" for name, problem in misfits.items()},
        expected,
        fix,
    )
    for name, source in sources.items():
        targets[name].copy_(given[source.name].chunk(source.count)[source.index])


def _named_as(wanted: Collection[str], checkpoint: Checkpoint) -> Mapping[str, torch.Tensor]:
    """Return the file's tensors, with as much of the common prefix restored as the network's own names have."""
    parts = re.findall(r"[^.]+\.", checkpoint.prefix)
    own = ("".join(parts[start:]) for start in range(len(parts)))
    prefix = next((one for one in own if all(name.startswith(one) for name in wanted)), "")
    return {prefix + name: tensor for name, tensor in checkpoint.tensors.items()} if prefix else checkpoint.tensors


def refuse(
    checkpoint: Checkpoint,
    missing: Iterable[str],
    unexpected: Iterable[str],
    unfit: Iterable[str],
    expected: str | None,
    fix: str | None,
) -> None:
    """Raise a UserError of a few lines if any entry does not fit: how many, the first, and what the header says."""
    problems = [
        f"{title}, {len(names)}: {listed((name[:_SHOWN] for name in names), 3)}"
        for title, names in (
            ("missing", sorted(missing)),
            ("unexpected", sorted(name for name in unexpected if not DERIVED.search(name))),
            ("unfit", sorted(unfit)),
        )
        if names
    ]
    if problems:
        said = told(checkpoint)
        if not (fix or said) and "backbone" in (expected or ""):
            fix = "the file does not say what it was trained as: for a different backbone, write NAME(backbone=...)"
        lines = ["the weights do not fit", *problems, *([f"the file's header: {said}"] if said else [])]
        raise UserError("\n  ".join(lines), where=checkpoint.path, expected=expected, fix=fix)


def told(checkpoint: Checkpoint) -> str:
    """The file's description of itself, in a few words; empty if it has none."""
    if checkpoint.config is not None:
        kinds = ("model_type", "architectures")
        return ", ".join(f"{key} {checkpoint.config[key]!r:.100}" for key in kinds if key in checkpoint.config)
    record = checkpoint.trained
    return ", ".join(f"{key} {record[key]!s:.100}" for key in ("method", "labels", "dataset") if key in record)


@contextmanager
def seeded(name: str) -> Iterator[None]:
    """Seed torch's random numbers from the name in this context, so that two untrained networks are equal."""
    import torch

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(zlib.crc32(name.encode()))
        yield


def _read_torch(path: Path, zipped: bool) -> Any:
    import torch

    # Objects next to the weights (settings, a training log, a learning rate) can be of any class, and are not needed.
    makers = {name: numpy_pickle.MAKERS.get(name) or safe_pickle.foreign(name) for name in _asked_for(path, zipped)}
    known: list[Any] = [(made, name) for name, made in makers.items()]
    try:
        with torch.serialization.safe_globals(known), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return numpy_pickle.arrays(torch.load(path, map_location="cpu", weights_only=True))
    except pickle.UnpicklingError as error:  # torch's own message advises running the file's code
        named = re.search(r"GLOBAL (\S+)", str(error))
        raise ValueError(f"the file asks for {named[1]}" if named else "not a pickle of tensors") from None
    except RuntimeError as error:  # torch's own message is about its reader's internals
        raise ValueError(_DAMAGED) from error


def _asked_for(path: Path, zipped: bool) -> set[str]:
    """Return the names in a torch file's pickles. Raises ValueError for an archive that would grow as it is read."""
    size = path.stat().st_size
    with path.open("rb") as file:
        if not zipped:  # a number, a version, the system, the tensors, their keys
            return safe_pickle.asked_for(file, size, pickles=5)
        try:
            archive = zipfile.ZipFile(file)
        except zipfile.BadZipFile:
            raise ValueError(_DAMAGED) from None
        entries = archive.infolist()
        if any(entry.compress_type != zipfile.ZIP_STORED for entry in entries):
            raise ValueError("the archive is compressed, which torch's are not")
        if sum(entry.file_size for entry in entries) > size:
            raise ValueError("the archive states more bytes than it has")
        if any(entry.filename.endswith("/constants.pkl") for entry in entries):
            raise ValueError("the file asks for TorchScript, which is code")
        pickles = [entry for entry in entries if entry.filename.endswith("/data.pkl")]
        if len(pickles) != 1:
            raise ValueError(_DAMAGED)
        with archive.open(pickles[0]) as content:
            return safe_pickle.asked_for(content, size)  # type: ignore[arg-type]


def _read_safetensors(path: Path) -> tuple[dict[str, torch.Tensor], dict[str, str]]:
    from safetensors import safe_open

    with safe_open(path, "pt") as file:
        return {name: file.get_tensor(name) for name in file.keys()}, dict(file.metadata() or {})  # noqa: SIM118


def _read_folder(path: Path) -> Checkpoint:
    """Read a transformers folder: config.json, and model.safetensors or the shards that its index names."""
    config = _json(path / "config.json")
    files = [path / "model.safetensors"]
    if not files[0].exists() and (index := path / "model.safetensors.index.json").exists():
        named = _json(index).get("weight_map")
        shards = set(map(str, named.values())) if isinstance(named, dict) else set()
        if not shards or not all(map(_SHARD.fullmatch, shards)):
            wrong = next((shard for shard in sorted(shards) if not _SHARD.fullmatch(shard)), named)
            raise UserError(f"names no file of this folder: {wrong!r:.100}", where=index, expected=_FOLDER)
        files = [path / shard for shard in sorted(shards)]
    parts = [read(regular(file, _FOLDER)) for file in files]
    digest = parts[0].sha256 if len(parts) == 1 else _digest(part.sha256.encode() for part in parts)
    tensors = {name: tensor for part in parts for name, tensor in part.tensors.items()}
    return Checkpoint(path, digest, tensors, config)


def _json(path: Path) -> dict[str, Any]:
    try:
        data = json.loads(regular(path, _FOLDER).read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise UserError(f"cannot be read: {_cause(b'{', error)}", where=path, expected=_FOLDER) from None
    if not isinstance(data, dict):
        raise UserError("holds no JSON object", where=path, expected=_FOLDER)
    return data


def _misfit(given: torch.Tensor, target: torch.Tensor, source: Part) -> str:
    """Say why the file's entry does not fit the module's, in a few words; empty if it fits."""
    shape = (target.shape[0] * source.count, *target.shape[1:]) if source.count > 1 else tuple(target.shape)
    if tuple(given.shape) != shape:
        return f"shape {list(given.shape)}, expected {list(shape)}"
    if given.is_floating_point() != target.is_floating_point() or given.is_complex():
        return f"type {given.dtype}, expected {target.dtype}"
    return "" if given.isfinite().all() else "values that are not finite"


def _digest(parts: Iterable[bytes]) -> str:
    return hashlib.sha256(b"".join(parts)).hexdigest()


def _cause(head: bytes, error: Exception) -> str:
    """Say why a file with that beginning could not be read, in words that help the user to find the right file."""
    if isinstance(error, OSError):
        return str(error.strerror or error)
    if not head:
        return "it is empty"
    if isinstance(error, EOFError):
        return "it is cut short"
    if isinstance(error, RecursionError):
        return "it is nested too deeply"
    if head.startswith(b"version https://"):
        return "it is a Git LFS pointer, not the file itself (git lfs pull)"
    if head.lstrip()[:1] == b"<":
        return "it is a web page, not the file itself"
    if head[:1] not in (b"\x80", b"P") and head[8:9] != b"{":  # not a current pickle, a zip archive, or safetensors
        return f"its beginning matches none of these ({first_line(error)[:200]})"
    return first_line(error)[:200]
