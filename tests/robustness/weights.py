"""Fuzzed checkpoints: damaged, hostile, or of a different network. Read correctly or refused; no code in them runs."""

from __future__ import annotations

import math
import pickle
import random
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from vssbench.errors import UserError
from vssbench.networks.checkpoints import Checkpoint, load_strict, read, save

TENSORS = {"weight": torch.arange(6.0).reshape(2, 3), "bias": torch.tensor([1.0, -2.0])}


def _write(path: Path, kind: str) -> None:
    if kind == "safetensors":
        save(path, TENSORS)
    elif kind == "pkl":
        path.write_bytes(pickle.dumps({"model": {name: tensor.numpy() for name, tensor in TENSORS.items()}}))
    else:
        torch.save({"state_dict": TENSORS}, path, _use_new_zipfile_serialization=kind == "pth")


def damaged(chance: random.Random, folder: Path) -> None:
    """Cut, with flipped bits or with noise. Cut files are refused; flipped bits of a number may go unnoticed."""
    path = folder / "w"
    _write(path, chance.choice(("pth", "legacy", "pkl", "safetensors")))
    data = bytearray(path.read_bytes())
    kind = chance.choice(("cut", "flipped", "noise"))
    if kind == "cut":
        data = data[: chance.randrange(len(data) - 1)]
    else:
        for _ in range(chance.randint(1, 8)):
            at = chance.randrange(len(data))
            data[at] = data[at] ^ (1 << chance.randrange(8)) if kind == "flipped" else chance.randrange(256)
    path.write_bytes(data)
    module = nn.Linear(3, 2)
    refusal = _refusal(lambda: load_strict(module, read(path)))
    if refusal is None:
        assert kind != "cut"
        assert all(bool(tensor.isfinite().all()) for tensor in module.state_dict().values())
    else:
        assert str(path) in refusal


GLOBALS = [
    *("os mkdir", "posix mkdir", "os system", "builtins eval", "builtins exec", "builtins getattr"),
    *("builtins __import__", "subprocess call", "shutil rmtree", "numpy load"),
    *("numpy._core.multiarray fromfile", "numpy.lib.npyio load", "torch load"),
    *("torch._utils _rebuild_tensor_v2", "torch.storage _load_from_bytes", "functools partial"),
    *("operator attrgetter", "pathlib Path", "numpy ndarray", "numpy dtype"),
    *("numpy.core.multiarray _reconstruct", "collections OrderedDict", "_codecs encode", "pty spawn"),
]  # fmt: skip

A_MOMENT = 5.0
"""Seconds of processor time: a thousand times what a refusal takes, and less than filling a stated terabyte would."""


def hostile(chance: random.Random, folder: Path) -> None:
    """Pickles of calls, builds and large stated sizes. None makes the folder, or takes more than a moment."""
    path, mark = folder / "w.pkl", folder / "ran"
    text = str(mark)
    pushes = [
        lambda: b"\x8c" + bytes([len(text)]) + text.encode(),  # SHORT_BINUNICODE
        lambda: b"K" + bytes([chance.randrange(256)]),  # BININT1
        lambda: b"\x8a\x08" + chance.randbytes(8),  # LONG1
        lambda: b"C" + bytes([4]) + chance.randbytes(4),  # SHORT_BINBYTES
        lambda: b"N",
        lambda: b"}",
        lambda: b"]",
        lambda: b")",
        lambda: b"c" + chance.choice(GLOBALS).replace(" ", "\n").encode() + b"\n",
        lambda: b"\x8e" + chance.randbytes(5) + b"\0\0\0",  # BINBYTES8 that states up to a terabyte, which is missing
    ]
    acts = [
        b"R",
        b"b",
        b"\x81",
        b"\x85",
        b"\x86",
        b"\x87",
        b"2",
        b"0",
        b"s",
        b"a",
        b"q\x01",
        b"h\x01",
        b"t",
        b"(",
        b"Q",
    ]
    data = b"\x80\x04c" + chance.choice(GLOBALS[:13]).replace(" ", "\n").encode() + b"\n"
    data += pushes[0]() + b"\x85R" if chance.random() < 0.5 else pushes[0]()
    for _ in range(chance.randint(0, 12)):
        data += chance.choice(pushes)() if chance.random() < 0.6 else chance.choice(acts)
    path.write_bytes(data + b".")
    began = time.process_time()
    refusal = _refusal(lambda: read(path))
    assert time.process_time() - began < A_MOMENT
    assert not mark.exists()
    assert refusal is not None, "a file that begins with a call was read"
    assert str(path) in refusal


def unfit(chance: random.Random, folder: Path) -> None:
    """Entries of different types, shapes and values: converted exactly, or one message and an unchanged module."""
    entries: dict[str, Any] = {name: tensor.clone() for name, tensor in TENSORS.items()}
    name = chance.choice(list(entries))
    kinds = [torch.float16, torch.bfloat16, torch.float64, torch.int64, torch.bool, torch.complex64, torch.uint8]
    change = chance.choice(("type", "shape", "value", "name", "more"))
    if change == "type":
        entries[name] = entries[name].to(kind := chance.choice(kinds))
        fits = kind.is_floating_point
    elif change == "shape":
        entries[name] = chance.choice(
            [entries[name].flip(0)[None], entries[name][:1], entries[name][None], entries[name].sum()]
        )
        fits = entries[name].shape == TENSORS[name].shape
    elif change == "value":
        entries[name].view(-1)[chance.randrange(entries[name].numel())] = chance.choice((math.nan, math.inf, -math.inf))
        fits = False
    elif change == "name":
        entries[chance.choice(("Weight", "weight ", "module.weight", "a/../b"))] = entries.pop(name)
        fits = False
    else:
        entries["num_batches_tracked" if (fits := chance.random() < 0.5) else "more"] = torch.tensor(3)
    module = nn.Linear(3, 2)
    before = {key: tensor.clone() for key, tensor in module.state_dict().items()}
    refusal = _refusal(lambda: load_strict(module, Checkpoint(folder / "w.pth", "", entries)))
    assert (refusal is None) == fits, (change, refusal)
    wanted = {key: entries[key].float() for key in TENSORS} if fits else before
    assert all(np.array_equal(module.state_dict()[key], tensor) for key, tensor in wanted.items())


def _refusal(reading: Callable[[], object]) -> str | None:
    """The message of the only error that may occur, or None."""
    try:
        reading()
    except UserError as error:
        return str(error)
    return None
