"""Rules: how much each figure may change: `mIoU: -0.1` in points, `gflops: +0.5%` of the baseline, `fps(step): -5%`.

The sign is the direction that is worse, and is checked against the figure's own. Any figure of the catalogue
(`vssbench.results.figures`) can have rules; a metric is read under the result's protocol unless it names one.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from vssbench.errors import UserError
from vssbench.results.figures import Figure, figure

DEFAULT = {
    "mIoU": "-0.1", "WIoU": "-0.1", "VC@8": "-0.2", "VC@16": "-0.2", "gflops": "+0.5%", "params": "+0%",
    "fps(step)": "-5%",
}  # fmt: skip
"""The rules that apply if none are given, each if its figure was measured."""
_VALUE = re.compile(
    r"(?P<number>[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?)\s*(?P<percent>%)?(?P<calibrated>\s+calibrated)?"
)
_FORM = "a signed number in the figure's own unit, such as -0.1, or a signed percentage, such as +0.5%"


@dataclass(frozen=True)
class Rule:
    """One limit. A figure that moves beyond it fails.

    metric:     name of a figure: "mIoU", "VC@8", "gflops(key)", "fps(step)", "latency(p99,end_to_end)"
    limit:      signed, in the figure's unit (points for percentages), or in percent of the baseline if `relative`
    calibrated: for speed: on different hardware, compare the ratios to the reference workload
    Raises UserError for a limit in the better direction and for an unknown figure.
    """

    metric: str
    limit: float
    relative: bool = False
    calibrated: bool = False
    figure: Figure = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "figure", figure(self.metric))
        object.__setattr__(self, "metric", self.figure.name)
        if not math.isfinite(self.limit):
            raise UserError(f"the limit {self.limit} of {self.metric} is not a number", expected=_FORM)
        if self.is_speed and not self.relative:
            raise UserError(
                f"the limit {self.limit:g} of {self.metric} is in frames per second",
                expected="a percentage, such as -5%: speed is judged relative to the baseline's",
            )
        if self.calibrated and not self.is_speed:
            raise UserError(f"{self.metric} is not a speed and cannot be calibrated", expected=_FORM)
        better = self.figure.better
        if better is None and self.limit == 0:
            raise UserError(
                f"which direction of {self.metric} is worse is not known here", expected="a limit other than 0"
            )
        if better and self.limit and (self.limit < 0) != (better == "more"):
            high, sign = ("higher", "-") if better == "more" else ("lower", "+")
            raise UserError(
                f"the limit {self.text} of {self.metric} is in the wrong direction: {high} is better",
                expected=f"how much worse it may get, such as {sign}{abs(self.limit):g}{'%' * self.relative}",
            )
        if self.limit == 0:
            object.__setattr__(self, "limit", -0.0 if better == "more" else 0.0)

    @classmethod
    def read(cls, metric: str, value: object) -> Rule:
        """Read the rule in one line of a rules file; `Rule.read(rule.metric, rule.text) == rule`."""
        found = _VALUE.fullmatch(str(value).strip()) if isinstance(value, int | float | str) else None
        if not found or isinstance(value, bool):
            raise UserError(f"the limit {value!r} of {metric} cannot be read", expected=_FORM)
        return cls(metric, float(found["number"]), bool(found["percent"]), bool(found["calibrated"]))

    @property
    def text(self) -> str:
        """The limit as in a rules file, always with its sign."""
        short = f"{self.limit:+g}"
        number = short if float(short) == self.limit else f"{self.limit:+}"
        return number + "%" * self.relative + " calibrated" * self.calibrated

    @property
    def is_speed(self) -> bool:
        """Whether the figure is frames per second, which are judged against the reference workload."""
        return self.figure.spec.name == "fps"

    @property
    def scope(self) -> str:
        """The scope of a rule on speed: "step", "step+decode" or "end_to_end"."""
        return self.figure.spec.words[0]

    @property
    def worse(self) -> int:
        """The sign of a change for the worse."""
        return int(math.copysign(1, self.limit))

    def __str__(self) -> str:
        return f"{self.metric}: {self.text}"


def rules_of(lines: Mapping[str, object], where: Path | None = None) -> tuple[Rule, ...]:
    """Read the rules in a `rules:` mapping. Raises UserError for one metric under two spellings. where: their file."""
    rules = [Rule.read(str(metric), value) for metric, value in lines.items()]
    names = [rule.metric for rule in rules]
    for name in names:
        if names.count(name) > 1:
            raise UserError(f"{name} has two rules", where=where, expected="one limit per metric")
    return tuple(rules)


def read_rules(path: Path) -> tuple[Rule, ...]:
    """Read the rules in a bench.yaml, or in a file with only `rules:`; error messages name line and column."""
    from vssbench.files.yaml_file import read_yaml

    data, places, repeated = read_yaml(path)
    lines: Any = data.get("rules")
    if not isinstance(lines, dict) or not lines:
        raise UserError("has no rules", where=path, expected="rules: {mIoU: -0.1, gflops: +0.5%, fps(step): -5%}")
    complaints = list(repeated)
    for metric, value in lines.items():
        try:
            if value is None and str(metric).count("(") > str(metric).count(")"):
                quoted = '"latency(p99,step)": +10%'
                raise UserError(f"{metric} is cut at its comma", fix=f"inside {{...}}, quote the name: {quoted}")
            Rule.read(str(metric), value)
        except UserError as error:
            line, column = places.get(("rules", str(metric), ""), places["rules", ""])  # a key may be `yes`, or merged
            complaints.append(f"{path}:{line}:{column}: {error}")
    if complaints:
        raise UserError("\n".join(complaints))
    return rules_of(lines, path)
