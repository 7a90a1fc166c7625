"""The direction of dependencies, seen from outside: what is in sys.modules after an import."""

from __future__ import annotations

import subprocess
import sys
import textwrap

import pytest

HEAVY = {"torch", "transformers", "pandas", "matplotlib", "scipy", "numpy", "cv2", "PIL", "pydantic", "yaml"}


def loaded(code: str) -> set[str]:
    """Return the names in sys.modules after the code ran in its own process; its output is discarded."""
    quiet = f"with contextlib.redirect_stdout(io.StringIO()):\n{textwrap.indent(code, '    ')}"
    script = f"import sys, contextlib, io\n{quiet}\nprint(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return set(done.stdout.split())


COMMAND = """
from vssbench.cli import main
sys.argv = ["vssbench", *{arguments!r}]
try:
    main()
except SystemExit as done:
    assert not done.code, done.code
"""


@pytest.mark.parametrize(
    "arguments", [["--help"], ["list", "methods"], ["list", "datasets"], ["list", "metrics", "--json"]]
)
def test_light_commands_import_no_heavy_packages(arguments: list[str]) -> None:
    assert not loaded(COMMAND.format(arguments=arguments)) & (HEAVY - {"pydantic"})  # Typer reads arguments with it


def packages(modules: set[str]) -> set[str]:
    """Return the top-level packages that are neither Python's nor ours, nor loaded when Python starts."""
    found = {name.partition(".")[0] for name in modules - loaded("pass")}
    return found - sys.stdlib_module_names - {"vssbench"}


@pytest.mark.parametrize("module", ["vssbench", "vssbench.specs", "vssbench.registry", "vssbench.errors"])
def test_core_modules_import_no_package(module: str) -> None:
    assert packages(loaded(f"import {module}")) == set()


def test_types_imports_only_numpy() -> None:
    modules = loaded("import vssbench.types")
    assert packages(modules) == {"numpy"}
    ours = {name for name in modules if name.startswith("vssbench")}
    assert ours == {"vssbench", "vssbench.errors", "vssbench.types"}


@pytest.mark.parametrize("module", ["vssbench.load", "vssbench.bench.clip", "vssbench.testing"])
def test_harness_imports_no_network_and_no_method(module: str) -> None:
    modules = loaded(f"import {module}")
    assert not modules & {"torch", "transformers", "pandas", "cv2", "matplotlib"}
    assert not {name for name in modules if name.startswith("vssbench.methods.")}


@pytest.mark.parametrize("name", ["oracle", "hold", "flowwarp", "replay"])
def test_methods_without_a_network_import_no_other_method_and_no_torch(name: str) -> None:
    modules = loaded(f"import vssbench.methods.{name}.adapter")
    others = {part for part in modules if part.startswith("vssbench.methods.")}
    assert not {part for part in others if not part.startswith(f"vssbench.methods.{name}")}
    assert not modules & {"torch", "transformers", "pandas"}
