"""Read pickles without running what they name, and without the endless work that a few bytes can ask for.

A pickle is a small program: it calls what it names, and builds values from values. Here the reader resolves every
name, `Foreign` replaces everything that weights do not need, and values that repeat without end are refused.
"""

from __future__ import annotations

import pickle
import sys
from _compat_pickle import IMPORT_MAPPING, NAME_MAPPING
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, BinaryIO, ClassVar

LARGEST_TUPLE = 10**5
"""The most tuples nested in a tuple, repeats included: hashing visits all of them."""
MOST_OPEN = 10**4
"""The most values that may be pending on the stack: writers flush a mapping after a thousand pairs."""
_DATA = frozenset(
    {
        *("argparse.Namespace", "types.SimpleNamespace", "copyreg._reconstructor", "decimal.Decimal", "uuid.UUID"),
        *(f"collections.{name}" for name in ("Counter", "OrderedDict", "defaultdict", "deque")),
        *(f"builtins.{name}" for name in ("getattr", "set", "frozenset", "list", "dict", "tuple", "object", "slice")),
        *(f"builtins.{name}" for name in ("bytearray", "complex", "range")),
    }
)
"""Names of the standard library that trainers leave next to weights, besides `pathlib` and `datetime`."""


class Foreign:
    """A stand-in for a class or function that the weights do not need: calling it returns an empty mapping."""

    def __new__(cls, *_: Any, **__: Any) -> OrderedDict[Any, Any]:  # type: ignore[misc]
        return OrderedDict()


def foreign(name: str) -> type[Foreign]:
    """Return the stand-in for a name such as "mmengine.config.Config". Raises UnpicklingError for plain code."""
    module = name.partition(".")[0]
    if module in sys.stdlib_module_names and module not in ("pathlib", "datetime") and name not in _DATA:
        raise pickle.UnpicklingError(f"the file asks for {name}")
    return Foreign


@dataclass(frozen=True)
class _Bounded:
    """A file that never allocates more than its own size: a pickle may state lengths of any size."""

    file: BinaryIO
    size: int

    def read(self, count: int) -> bytes:
        if count > self.size:
            raise EOFError("it is cut short")
        return self.file.read(count)

    def readline(self) -> bytes:
        return self.file.readline()


class Unpickler(pickle._Unpickler):  # the one written in Python, whose operations can be watched
    """A reader of containers and plain values. `named` resolves names; nothing is imported.

    Raises UnpicklingError, EOFError, ValueError and the like for what is damaged, hostile or endless.
    """

    stack: list[Any]
    metastack: list[list[Any]]

    def __init__(self, file: BinaryIO, size: int):
        """size: of the whole file in bytes"""
        self._size, self._weights = size, dict[int, tuple[int, Any]]()
        super().__init__(_Bounded(file, size), encoding="latin1")  # Python 2 wrote bytes as text

    def named(self, name: str) -> Any:
        """Return what that name resolves to, to be called or stored."""
        return foreign(name)

    def find_class(self, module: str, name: str) -> Any:
        module, name = NAME_MAPPING.get((module, name), (IMPORT_MAPPING.get(module, module), name))  # Python 2's
        return self.named(f"{module}.{name}")

    def get_extension(self, code: int) -> None:
        raise pickle.UnpicklingError(f"the file asks for extension {code}")

    def _weigh(self, made: tuple[Any, ...]) -> None:
        weight = 1 + sum(self._weights.get(id(item), (1,))[0] for item in made if type(item) is tuple)
        if weight > LARGEST_TUPLE:
            raise pickle.UnpicklingError("the file holds a tuple that repeats itself without end")
        if weight > 1:
            self._weights[id(made)] = weight, made  # kept alive, so that its id is not reused

    def _count(self) -> None:
        if len(self.stack) > MOST_OPEN or len(self.metastack) > MOST_OPEN:
            raise pickle.UnpicklingError("the file is nested without end")

    dispatch: ClassVar[dict[int, Any]] = dict(pickle._Unpickler.dispatch)


def _counted(load: Callable[[Any], None]) -> Callable[[Any], None]:
    def watched(self: Any) -> None:
        load(self)
        self._count()

    return watched


def _weighed(load: Callable[[Any], None]) -> Callable[[Any], None]:
    def watched(self: Any) -> None:
        load(self)
        self._weigh(self.stack[-1])

    return watched


for _code in (pickle.TUPLE, pickle.TUPLE1, pickle.TUPLE2, pickle.TUPLE3):
    Unpickler.dispatch[_code[0]] = _weighed(Unpickler.dispatch[_code[0]])
for _code in (pickle.MARK, pickle.EMPTY_LIST, pickle.EMPTY_DICT, pickle.EMPTY_SET, pickle.EMPTY_TUPLE, pickle.DUP):
    Unpickler.dispatch[_code[0]] = _counted(Unpickler.dispatch[_code[0]])


class _Scan(Unpickler):
    """A pass over a pickle that builds nothing from it."""

    def __init__(self, file: BinaryIO, size: int, names: set[str]):
        super().__init__(file, size)
        self.names = names

    def named(self, name: str) -> Any:
        self.names.add(name)
        return Foreign

    def persistent_load(self, pid: Any) -> OrderedDict[Any, Any]:
        """Check a torch storage: ("storage", type, key, place, number of values)."""
        if isinstance(pid, tuple) and len(pid) > 4 and isinstance(pid[4], int) and pid[4] > self._size:
            raise pickle.UnpicklingError("the file states more values than it holds")
        return OrderedDict()

    def load_build(self) -> None:
        self.stack.pop()

    dispatch: ClassVar[dict[int, Any]] = {**Unpickler.dispatch, pickle.BUILD[0]: load_build}


def asked_for(file: BinaryIO, size: int, pickles: int = 1) -> set[str]:
    """Return the classes and functions that the next pickles of the file name; nothing is built.

    size: of the whole file in bytes
    Raises the same errors as `Unpickler`.
    """
    names: set[str] = set()
    for _ in range(pickles):
        _Scan(file, size, names).load()
    return names
