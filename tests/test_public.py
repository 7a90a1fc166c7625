"""What `import vssbench` offers: all of it is listed, typed and documented with examples and their output."""

from __future__ import annotations

import doctest
import importlib
import inspect
import typing
from pathlib import Path

import pytest

import vssbench
from tests.comparing.made import two_runs


def test_every_listed_name_exists_and_no_other_name_is_offered() -> None:
    assert vssbench.__all__ == sorted(vssbench.__all__, key=lambda name: (name[0].islower(), name))
    for name in vssbench.__all__:
        offered = getattr(vssbench, name)
        assert offered.__module__.startswith("vssbench."), name
        assert offered.__doc__, name
    assert set(vssbench.__all__) <= set(dir(vssbench))
    with pytest.raises(AttributeError, match="no attribute 'compute'"):
        _ = vssbench.compute  # type: ignore[attr-defined]


def test_public_functions_are_fully_typed() -> None:
    for name in vssbench.__all__:
        offered = getattr(vssbench, name)
        if inspect.isfunction(offered):
            known = typing.get_type_hints(offered, {**vars(typing), **_lazy(offered)})
            assert set(known) == {*inspect.signature(offered).parameters, "return"}, name


def _lazy(function: object) -> dict[str, object]:
    """Return what a module imports for type checkers only."""
    import pandas as pd

    return {"pd": pd, **vars(inspect.getmodule(function))}


@pytest.mark.parametrize("module", ["vssbench.scoring.arrays", "vssbench.comparing.runs", "vssbench.errors"])
def test_docstring_examples_print_what_they_show(module: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    two_runs(tmp_path)
    flags = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE
    failed, tried = doctest.testmod(importlib.import_module(module), optionflags=flags)
    assert tried
    assert not failed


def test_no_module_hides_a_public_name() -> None:
    """Importing a submodule sets it as an attribute of the package, which bypasses `__getattr__`."""
    home = Path(vssbench.__file__).parent
    assert not {name for name in vssbench.__all__ if (home / name).exists() or (home / f"{name}.py").exists()}
