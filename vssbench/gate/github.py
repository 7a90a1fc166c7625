"""The gate's findings on GitHub: the step's summary in Markdown, and an annotation per problem."""

from __future__ import annotations

import re
from collections.abc import Sequence

from vssbench.gate.verdict import MEANING, Report, Verdict, change, details, figure, headline, plain, sentence

_MARKS = re.compile(r"([\\`*_{}\[\]<>#|~&])")
_COLUMNS = ("verdict", "method", "dataset", "metric", "baseline", "now", "change", "limit", "why")
_SYMBOLS = {"fail": "❌", "missing": "❌", "incomparable": "⚠️", "improved": "📈", "new": "🆕"}


def markdown(report: Report) -> str:
    """Return the comparison as a table of what needs attention, with the rest folded below it."""
    first = [verdict for verdict in report.verdicts if verdict.status not in ("pass", "absent")]
    rest = [verdict for verdict in report.verdicts if verdict.status in ("pass", "absent")]
    parts = [f"## vssbench: {headline(report)}"]
    if first:
        parts.append(_table(first))
    if rest:
        parts.append(f"<details><summary>{len(rest)} more</summary>\n\n{_table(rest)}\n\n</details>")
    parts.append("\n".join(f"- {escape(note)}" for note in (f"baseline: {report.baseline}", *report.notes)))
    return "\n\n".join(parts) + "\n"


def problems(report: Report) -> list[str]:
    """Return annotations as workflow commands, the worst first; GitHub shows the first ten errors of a step."""
    return [
        f"::error title={_property(f'vssbench: {verdict.method} on {verdict.dataset}')}::{_data(sentence(verdict))}"
        for verdict in report.verdicts
        if verdict.failed or verdict.status == "incomparable"
    ]


def escape(text: str) -> str:
    """Return the text on one line, with characters escaped that Markdown or HTML would interpret."""
    return _MARKS.sub(r"\\\1", plain(text))


def code(text: str) -> str:
    """Return the text on one line as code in a table cell; within backticks, a bar after a backslash has no escape."""
    line = plain(text)
    return f"<code>{escape(line)}</code>" if "`" in line or "|" in line else f"`{line}`"


def _table(verdicts: Sequence[Verdict]) -> str:
    rows: list[tuple[str, ...]] = [_COLUMNS, (":--", ":--", ":--", ":--", "--:", "--:", "--:", "--:", ":--")]
    for verdict in verdicts:
        cells = (
            f"{_SYMBOLS.get(verdict.status, '')} {MEANING[verdict.status]}".strip(),
            code(verdict.method),
            code(verdict.dataset),
            code(verdict.metric),
            *(figure(verdict.metric, value) for value in (verdict.baseline, verdict.current)),
            change(verdict),
            verdict.limit,
            escape(details(verdict)),
        )
        rows.append(cells)
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def _data(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")
