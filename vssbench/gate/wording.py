"""A verdict in words and figures, the same wherever it is read."""

from __future__ import annotations

from vssbench.gate.rules import COST
from vssbench.gate.verdict import Report, Status, Verdict

MISSING = "–"
HEADLINES = {0: "no worse than the baseline", 1: "worse than the baseline", 3: "not comparable with the baseline"}
MEANING: dict[Status, str] = {
    "fail": "worse",
    "missing": "missing",
    "incomparable": "not comparable",
    "improved": "improved",
    "new": "new",
    "pass": "fine",
    "absent": "not measured",
}


def plain(text: str) -> str:
    """On one line, what cannot be printed written out: a clip's name is a file's and need not be text."""
    line = " ".join(text.split())
    return "".join(char if char.isprintable() else char.encode("unicode_escape").decode() for char in line)


def headline(report: Report) -> str:
    """One line: the outcome, and how many of what."""
    counted = ", ".join(f"{count} {MEANING[status]}" for status, count in report.counts.items())
    return f"{HEADLINES[report.exit_status]}: {counted}"


def figure(metric: str, value: float | None) -> str:
    """Two decimals for percentages, one for FPS and MB, four digits for GFLOPs and parameters."""
    if value is None:
        return MISSING
    if metric not in COST:
        return f"{value:.2f}"
    return f"{value:.4g}" if metric.startswith(("gflops", "params")) else f"{value:.1f}"


def change(verdict: Verdict) -> str:
    """Signed, in the unit of the limit."""
    if verdict.change is None:
        return MISSING
    rounded = round(verdict.change, 6)
    return (f"{rounded:+.3g}" if rounded else "0") + "%" * verdict.relative


def paired(verdict: Verdict) -> str:
    """The change over the same clips; empty where it was not looked at, and where there is none."""
    found = verdict.paired
    if found is None or not found.effect:
        return ""
    if found.low is None or found.high is None:
        return found.reason or ""
    return f"over {found.clips} clips: {found.low:+.2f} to {found.high:+.2f} ({found.level:.0%}), p = {found.p:.2g}"


def details(verdict: Verdict) -> str:
    """What the row's figures do not say."""
    return "; ".join(part for part in (verdict.why, paired(verdict)) if part)


def sentence(verdict: Verdict) -> str:
    """`worse: mIoU 73.91, was 74.78: -0.87, limit -0.1`, and why."""
    now, before = figure(verdict.metric, verdict.current), figure(verdict.metric, verdict.baseline)
    moved = "" if verdict.change is None else f": {change(verdict)}"
    told = f"{verdict.metric} {now}, was {before}{moved}, limit {verdict.limit}"
    return f"{MEANING[verdict.status]}: {told}" + (f" ({details(verdict)})" if details(verdict) else "")
