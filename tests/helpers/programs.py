"""Programs that some tests need besides Python packages: a browser, LaTeX."""

from __future__ import annotations

import os

import pytest

IN_CI = os.environ.get("CI") == "true"


def needs(program: str | None, name: str, package: str) -> pytest.MarkDecorator:
    """Skip where the program is not installed; in CI (CI=true) the test runs anyway, and fails.

    program: its path, None where there is none; package: Debian's
    """
    return pytest.mark.skipif(program is None and not IN_CI, reason=f"needs {name} (Debian: apt-get install {package})")
