"""Faults for the tests: an operating system whose n-th write, fsync or rename fails."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any


class Crash(BaseException):
    """An exception that nothing catches, like a kill."""


class FaultyOs:
    """The os module, whose n-th write, fsync or replace fails; a failing write leaves half of its bytes."""

    def __init__(self, fail_at: int, error: BaseException):
        self.fail_at, self.error, self.calls = fail_at, error, 0

    def __getattr__(self, name: str) -> Any:
        return getattr(os, name)

    def _fails(self) -> bool:
        self.calls += 1
        return self.calls == self.fail_at

    def write(self, handle: int, data: bytes) -> int:
        if self._fails():
            os.write(handle, bytes(data)[: len(data) // 2])
            raise self.error
        return os.write(handle, data)

    def fsync(self, handle: int) -> None:
        if self._fails():
            raise self.error
        os.fsync(handle)

    def replace(self, source: Path, target: Path) -> None:
        if self._fails():
            raise self.error
        os.replace(source, target)
