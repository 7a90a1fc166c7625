"""Files of a few bytes that ask for endless work or memory: one message, at once, and none of their code runs."""

from __future__ import annotations

import io
import json
import os
import pickle
import struct
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from vssbench.errors import UserError
from vssbench.networks.checkpoints import read, save

WEIGHTS = {"weight": torch.arange(6.0).reshape(2, 3)}
pytestmark = pytest.mark.timeout(60)


def tuples(depth: int) -> bytes:
    """Opcodes for tuples nested `depth` deep, each holding the previous one twice: hashing visits 2^depth of them."""
    return b")" + b"".join(b"q%sh%s\x86" % (bytes([n]), bytes([n])) for n in range(depth))


def rezipped(path: Path, pickled: bytes | None = None, method: int = zipfile.ZIP_STORED, more: int = 0) -> None:
    """Write a torch file with its pickle replaced, compressed, or with `more` zeros added to its first storage."""
    torch.save(WEIGHTS, path)
    with zipfile.ZipFile(path) as archive:
        entries = {name: archive.read(name) for name in archive.namelist()}
    with zipfile.ZipFile(path, "w", method) as archive:
        for name, data in entries.items():
            if pickled is not None and name.endswith("data.pkl"):
                data = pickled
            archive.writestr(name, data + bytes(more) if name.endswith("data/0") else data)


def endless_key(path: Path) -> None:
    path.write_bytes(b"\x80\x02}" + tuples(40) + b"K\x01s.")


def endless_key_in_torch(path: Path) -> None:
    rezipped(path, b"\x80\x02}" + tuples(40) + b"K\x01s.")


def endless_key_in_legacy_torch(path: Path) -> None:
    torch.save(WEIGHTS, path, _use_new_zipfile_serialization=False)
    first = b"".join(pickle.dumps(part, 2) for part in (0x1950A86A20F9469CFC6C, 1001, {}))
    path.write_bytes(first + b"\x80\x02}" + tuples(40) + b"K\x01s.")


def endless_set(path: Path) -> None:
    path.write_bytes(b"\x80\x04\x8f(" + tuples(40) + b"\x90.")


def compressed(path: Path) -> None:
    rezipped(path, method=zipfile.ZIP_DEFLATED, more=10**8)
    assert path.stat().st_size < 10**6


def overlapping(path: Path) -> None:
    """Many directory entries for one entry's bytes, as in a zip bomb that is a quine."""
    rezipped(path)
    data = path.read_bytes()
    place = data.index(b"PK\x01\x02")
    end = data.index(b"PK\x05\x06")
    directory, tail = data[place:end], bytearray(data[end:])
    copies = 500
    count = struct.unpack("<H", tail[8:10])[0]
    tail[8:12] = struct.pack("<HH", count * copies, count * copies)
    tail[12:16] = struct.pack("<I", len(directory) * copies)
    path.write_bytes(data[:place] + directory * copies + tail)


def more_values_than_bytes(path: Path) -> None:
    storage = b"((U\x07storageq\x00ctorch\nFloatStorage\nq\x01U\x010U\x03cpuJ\xff\xff\xff\x7ftQ"
    rezipped(
        path, b"\x80\x02}U\x01wctorch._utils\n_rebuild_tensor_v2\n(" + storage + b"K\x00)).".replace(b"))", b")))tR")
    )


def far_memo(path: Path) -> None:
    """The C unpickler allocates two thousand million memo slots."""
    path.write_bytes(b"\x80\x02}r\xff\xff\xff\x7f.")


def long_text(path: Path) -> None:
    path.write_bytes(b"\x80\x04\x8d" + struct.pack("<Q", 2**40) + b"x.")


def extension(path: Path) -> None:
    path.write_bytes(b"\x80\x02\x82\x01.")


def array_of_many(path: Path) -> None:
    path.write_bytes(b"cnumpy.core.numeric\n_frombuffer\n(C\x01acnumpy\ndtype\n(S'f4'\ntR(L1099511627776L\ntS'C'\ntR.")


def numpy_archive(path: Path) -> None:
    np.savez_compressed(path.with_suffix(".npz"), weight=np.zeros(10**7, np.float32))
    path.with_suffix(".npz").rename(path)


def script(path: Path) -> None:
    with zipfile.ZipFile(path, "w") as archive:
        for name in ("data.pkl", "constants.pkl", "code/a.py"):
            archive.writestr(f"w/{name}", b"\x80\x02}.")


def header(length: int, content: bytes) -> Callable[[Path], None]:
    return lambda path: path.write_bytes(length.to_bytes(8, "little") + content) and None


def tensors(**entry: object) -> bytes:
    return json.dumps({"weight": {"dtype": "F32", "shape": [2], "data_offsets": [0, 8]} | entry}).encode()


def lying(more: bytes = bytes(8), **entry: object) -> Callable[[Path], None]:
    return header(len(tensors(**entry)), tensors(**entry) + more)


NESTED = {
    "lists in lists": b"]" * 10**6 + b"a" * (10**6 - 1),
    "mappings in mappings": b"}" + b"K\x01}" * 10**6 + b"s" * 10**6,
    "marks without end": b"(" * 10**6,
    "one value many times": b"]" + b"2" * 10**6,
}


def nested(opcodes: bytes, zipped: bool) -> Callable[[Path], None]:
    def make(path: Path) -> None:
        if zipped:
            rezipped(path, b"\x80\x02" + opcodes + b".")
        else:
            path.write_bytes(b"\x80\x02" + opcodes + b".")

    return make


HOSTILE: dict[str, Callable[[Path], None]] = (
    {
        function.__name__: function
        for function in (
            *(endless_key, endless_key_in_torch, endless_key_in_legacy_torch, endless_set, compressed, overlapping),
            *(more_values_than_bytes, far_memo, long_text, extension, array_of_many, numpy_archive, script),
        )
    }
    | {
        f"{name}, {'zipped' if zipped else 'plain'}": nested(opcodes, zipped)
        for name, opcodes in NESTED.items()
        for zipped in (False, True)
    }
    | {
        "a header longer than the file": header(2**62, b"{}"),
        "a shape of more than its bytes": lying(shape=[10**12]),
        "a shape that overflows": lying(shape=[2**40, 2**40]),
        "offsets beyond the end": lying(data_offsets=[0, 2**40]),
        "offsets that run back": lying(data_offsets=[8, 0]),
        "a negative shape": lying(shape=[-2]),
        "a header nested without end": header(10**5, b"{" + b'"a":{' * 20000),
    }
)


@pytest.mark.parametrize("make", HOSTILE.values(), ids=HOSTILE)
def test_hostile_file_is_refused_quickly_with_a_short_message(make: Callable[[Path], None], tmp_path: Path) -> None:
    make(tmp_path / "w.pth")
    with pytest.raises(UserError) as error:
        read(tmp_path / "w.pth")
    assert str(tmp_path / "w.pth") in str(error.value)
    assert len(str(error.value)) < 600


CODE = [
    "os system",
    "posix system",
    "builtins eval",
    "subprocess Popen",
    "functools partial",
    "runpy run_path",
    "types CodeType",
]


@pytest.mark.parametrize("name", CODE)
@pytest.mark.parametrize("zipped", [True, False])
def test_standard_library_callables_in_a_pickle_are_refused(name: str, zipped: bool, tmp_path: Path) -> None:
    mark, path = tmp_path / "ran", tmp_path / "w.pth"
    call = b"\x80\x02c" + name.replace(" ", "\n").encode() + b"\nX" + struct.pack("<I", len(f"mkdir {mark}"))
    call += f"mkdir {mark}".encode() + b"\x85R."
    if zipped:
        rezipped(path, call)
    else:
        path.write_bytes(call)
    with pytest.raises(UserError, match="the file asks for") as error:
        read(path)
    assert "fix: where the file was made, save the tensors alone" in str(error.value)
    assert not mark.exists()


def test_pickle_cannot_override_items_of_a_mapping_stand_in(tmp_path: Path) -> None:
    """BUILD sets attributes of the stand-in for a foreign class: here `items`, by which mappings are iterated."""
    evil = b"ca\nB\n)\x81}X\x05\x00\x00\x00itemsca\nB\nsb"  # a.B() with the attribute items = a.B
    rezipped(tmp_path / "w.pth", b"\x80\x02" + evil + b".")
    with pytest.raises(UserError, match="holds no state dict"):
        read(tmp_path / "w.pth")
    (tmp_path / "w.pkl").write_bytes(b"\x80\x02" + evil + b".")
    with pytest.raises(UserError, match="holds no state dict"):
        read(tmp_path / "w.pkl")


INDEXES = ['"."', '""', "[]", "null", '"' + "x" * 5000 + '"', "1e999", '"../a.safetensors"', '"a/b.safetensors"', "{}"]


@pytest.mark.parametrize("shard", INDEXES)
def test_shard_index_must_name_files_of_its_folder(shard: str, tmp_path: Path) -> None:
    save(tmp_path / "a.safetensors", WEIGHTS)
    (tmp_path / "config.json").write_text("{}")
    index = tmp_path / "model.safetensors.index.json"
    for content in (f'{{"weight_map": {{"weight": {shard}}}}}', f'{{"weight_map": {shard}}}', f"[{shard}]"):
        index.write_text(content)
        with pytest.raises(UserError) as error:
            read(tmp_path)
        assert len(str(error.value)) < 500
        assert "names no file of this folder" in str(error.value) or content.startswith("[")
    index.write_text('{"weight_map": {"weight": "a.safetensors"}}')
    assert torch.equal(read(tmp_path).tensors["weight"], WEIGHTS["weight"])


def test_shard_that_links_to_its_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text("{}")
    (tmp_path / "a.safetensors").symlink_to(tmp_path)
    (tmp_path / "model.safetensors.index.json").write_text('{"weight_map": {"weight": "a.safetensors"}}')
    with pytest.raises(UserError, match="is a folder, not a file") as error:
        read(tmp_path)
    assert len(str(error.value)) < 300


def test_index_of_many_missing_shards_is_refused_at_the_first(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text("{}")
    named = {f"w{number}": f"m{number}.safetensors" for number in range(10**5)}
    (tmp_path / "model.safetensors.index.json").write_text(json.dumps({"weight_map": named}))
    with pytest.raises(UserError, match=r"m0\.safetensors: no such file"):
        read(tmp_path)


def test_pipes_and_devices_are_refused_without_blocking(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path / "pipe", Path("/dev/zero")):
        with pytest.raises(UserError, match=r"is a (pipe|device), not a file"):
            read(path)
    (tmp_path / "config.json").write_text("{}")
    os.mkfifo(tmp_path / "model.safetensors")
    with pytest.raises(UserError, match="is a pipe"):
        read(tmp_path)
    (tmp_path / "config.json").unlink()
    os.mkfifo(tmp_path / "config.json")
    with pytest.raises(UserError, match="is a pipe"):
        read(tmp_path)


def test_tuple_keys_are_accepted(tmp_path: Path) -> None:
    content = {"model": {name: tensor.numpy() for name, tensor in WEIGHTS.items()}, "log": {("a", (1, 2)): 3}}
    stream = io.BytesIO()
    pickle.dump(content, stream)
    (tmp_path / "w.pkl").write_bytes(stream.getvalue())
    assert list(read(tmp_path / "w.pkl").tensors) == ["weight"]
