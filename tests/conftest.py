"""Options and fixtures shared by the tests."""

from __future__ import annotations

import sys
from collections.abc import Callable
from functools import cache
from importlib.metadata import PackageNotFoundError, requires, version
from typing import TYPE_CHECKING

import pytest
from hypothesis import settings
from packaging.requirements import Requirement

if TYPE_CHECKING:
    from tests.helpers.command import Outcome

settings.register_profile("patient", deadline=None)  # a busy machine makes single examples slow, which is not a failure
settings.load_profile("patient")


@pytest.fixture(autouse=True)
def _one_thread() -> None:
    """Small networks are slower on several threads than on one, and much slower where tests run in parallel."""
    torch = sys.modules.get("torch")
    if torch:
        torch.set_num_threads(1)


@pytest.fixture
def vssbench() -> Callable[..., Outcome]:
    """Run a command line in this process: (exit status, stdout, stderr)."""
    from tests.helpers import command

    return command.vssbench


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--require-extras", action="store_true", help="a test whose extra is not installed fails")


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    """Tests marked `extra(name)` are skipped where that extra is not installed; under --require-extras they fail."""
    for marker in item.iter_markers("extra"):
        if lacking := missing(*marker.args):
            reason = f"needs {', '.join(lacking)}: pip install 'vssbench[{marker.args[0]}]'"
            if item.config.getoption("--require-extras"):
                pytest.fail(reason, pytrace=False)
            pytest.skip(reason)


@cache
def missing(extra: str) -> list[str]:
    """The packages of an extra that are not installed."""
    required = [Requirement(line) for line in requires("vssbench") or ()]
    names = [one.name for one in required if one.marker and one.marker.evaluate({"extra": extra})]
    assert names, f"vssbench has no extra {extra!r}"
    return [name for name in names if not installed(name)]


def installed(package: str) -> bool:
    try:
        version(package)
    except PackageNotFoundError:
        return False
    return True
