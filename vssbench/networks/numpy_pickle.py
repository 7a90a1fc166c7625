"""Read pickles of NumPy arrays in plain containers (the detectron2 model zoo's .pkl) without running what they name.

The few names that arrays need resolve to the harmless makers below, which check each array's bytes against its shape.
NumPy's own unpickling is not involved, so files written under NumPy 1 and 2 are read alike.
"""

from __future__ import annotations

import pickle
import re
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from vssbench.networks import safe_pickle


def load(path: Path) -> Any:
    """Read the containers and arrays in the file. Raises UnpicklingError, ValueError and the like for anything else."""
    with path.open("rb") as file:
        return arrays(_Unpickler(file, path.stat().st_size).load())


class _Type:
    """A stand-in for numpy.dtype: plain numbers only."""

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
    """A stand-in for numpy.ndarray while the pickle is read."""

    value: np.ndarray | None = None

    def __init__(self, *_: object):
        """Leave it empty: its state comes later."""

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        _, shape, dtype, fortran, data = state
        self.value = dtype.array(data, shape, "F" if fortran else "C")


MAKERS: dict[str, Callable[..., Any]] = {
    "numpy.ndarray": _Array,
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
"""Name in a pickle -> what it resolves to."""


class _Unpickler(safe_pickle.Unpickler):
    def named(self, name: str) -> Any:
        return MAKERS.get(name) or super().named(name)

    def load_build(self) -> None:
        """Set the state of arrays and types only: a pickle can write into nothing else."""
        state, made = self.stack.pop(), self.stack[-1]
        if isinstance(made, _Array | _Type):
            made.__setstate__(state)

    dispatch: ClassVar[dict[int, Any]] = {**safe_pickle.Unpickler.dispatch, pickle.BUILD[0]: load_build}


def arrays(content: Any, done: dict[int, dict[Any, Any]] | None = None) -> Any:
    """Return the same containers with the arrays themselves in place of their stand-ins.

    done: the result for each dictionary so far: one that occurs in many places, or in itself, is visited once
    """
    done = {} if done is None else done
    if isinstance(content, dict):
        if id(content) not in done:
            made: dict[Any, Any] = {}
            done[id(content)] = made
            made.update((key, arrays(value, done)) for key, value in dict.items(content))
        return done[id(content)]
    return content.value if isinstance(content, _Array) else content
