"""Pickles of NumPy arrays in plain containers (the detectron2 model zoo's .pkl), read without running what they name.

A pickle asks for functions and classes by name. The few names that stand for arrays are answered with the harmless
makers below, which check each array's bytes against its shape; numpy's own unpickling is not involved. Any other name
is an error.
"""

from __future__ import annotations

import pickle
import re
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np


def load(path: Path) -> Any:
    """The containers and arrays in the file. Raises UnpicklingError, ValueError and the like for anything else."""
    with path.open("rb") as file:
        return _arrays(_Unpickler(file, encoding="latin1").load(), {})


class _Type:
    """Stands in for numpy.dtype: plain numbers only."""

    def __init__(self, code: str, *_: object):
        if not re.fullmatch(r"[<>=|]?([fiu][1248]|b1)", code):
            raise pickle.UnpicklingError(f"the file holds an array of type {code!r}")
        self.code, self.order = code.lstrip("<>=|"), ">" if code.startswith(">") else "<"

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        self.order = ">" if state[1] == ">" else "<"

    def array(self, data: Any, shape: tuple[int, ...], order: Any = "C") -> np.ndarray:
        raw = data.encode("latin1") if isinstance(data, str) else data  # Python 2 wrote bytes as text
        if not isinstance(raw, bytes | bytearray):
            raise pickle.UnpicklingError("the file holds an array without its bytes")
        return np.frombuffer(raw, self.order + self.code).astype(self.code).reshape(shape, order=order)


class _Array:
    """Stands in for numpy.ndarray while the pickle is read."""

    value: np.ndarray | None = None

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        _, shape, dtype, fortran, data = state
        self.value = dtype.array(data, shape, "F" if fortran else "C")


@dataclass(frozen=True, slots=True)
class _Maker:
    """What a name in the pickle is answered with: it can be called, and a pickle cannot write into it."""

    make: Callable[..., Any]

    def __call__(self, *args: Any) -> Any:
        return self.make(*args)


_MAKERS: dict[str, Callable[..., Any]] = {
    "numpy.ndarray": lambda *_: _Array(),
    "numpy.dtype": _Type,
    "collections.OrderedDict": OrderedDict,
    "_codecs.encode": lambda text, *_: text.encode("latin1"),
    **{f"numpy.{core}.multiarray._reconstruct": lambda *_: _Array() for core in ("core", "_core")},
    **{f"numpy.{core}.multiarray.scalar": lambda dtype, data: dtype.array(data, ()) for core in ("core", "_core")},
    **{
        f"numpy.{core}.numeric._frombuffer": lambda data, dtype, shape, order: dtype.array(data, shape, order)
        for core in ("core", "_core")
    },
}


class _Unpickler(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        if f"{module}.{name}" not in _MAKERS:
            raise pickle.UnpicklingError(f"the file asks for {module}.{name}, which is not an array")
        return _Maker(_MAKERS[f"{module}.{name}"])


def _arrays(content: Any, done: dict[int, dict[Any, Any]]) -> Any:
    """The same containers with the arrays themselves in the places of their stand-ins.

    done: what has been made of each dictionary: one that stands in many places, or in itself, is gone through once
    """
    if isinstance(content, dict):
        if id(content) not in done:
            made: dict[Any, Any] = {}
            done[id(content)] = made
            made.update((key, _arrays(value, done)) for key, value in content.items())
        return done[id(content)]
    return content.value if isinstance(content, _Array) else content
