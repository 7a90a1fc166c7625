"""Collect findings: a kit reports everything that it found, not just the first."""

from __future__ import annotations

import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import PurePath


class CheckFailed(AssertionError):
    """The checked object breaks its contract.

    subject:  name of the method, metric or dataset
    failures: one line per finding
    """

    def __init__(self, subject: str, failures: list[str]):
        self.subject, self.failures = subject, failures
        super().__init__("\n  - ".join([f"{subject} breaks its contract:", *failures]))


@dataclass(frozen=True)
class Report:
    """The report of a check that passed.

    subject: name of the method, metric or dataset
    passed:  the checks, in order
    """

    subject: str
    passed: tuple[str, ...]

    def __str__(self) -> str:
        return f"{self.subject}: {len(self.passed)} checks passed ({', '.join(self.passed)})"


@dataclass
class Findings:
    """A collection of the findings so far."""

    subject: str
    failures: list[str] = field(default_factory=list)
    passed: list[str] = field(default_factory=list)

    @contextmanager
    def check(self, title: str) -> Iterator[None]:
        """Run one named check in this context: an exception is a finding too."""
        before = len(self.failures)
        try:
            yield
        except Exception as error:
            at = traceback.extract_tb(error.__traceback__)[-1]
            place = f"{PurePath(at.filename).name}:{at.lineno}"
            self.failures.append(f"{title}: {type(error).__name__} at {place}: {error}")
        else:
            if len(self.failures) == before:
                self.passed.append(title)
            else:
                self.failures[before:] = [f"{title}: {failure}" for failure in self.failures[before:]]

    def expect(self, condition: bool, message: str) -> bool:
        """Add the message if the condition does not hold; return the condition."""
        if not condition:
            self.failures.append(message)
        return condition

    def finish(self) -> Report:
        """Return the report, or raise CheckFailed."""
        if self.failures:
            raise CheckFailed(self.subject, self.failures)
        return Report(self.subject, tuple(self.passed))
