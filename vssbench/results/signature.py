"""A number in one line with everything that it depends on, to be pasted into a paper and checked by a reader.

    mIoU|protocol:vspw|data:vspw.val|clips:343|files:1a2b3c4d|method:mpvss|weights:5e6f7a8b|vssbench:0.2.0 = 37.49

Parts are `name:value`, in this order; those that do not apply to a figure are left out. In values, `%`, `|` and line
breaks are written `%25`, `%7C`, `%0A` and `%0D`. This does for video segmentation what sacrebleu does for BLEU (Post,
WMT 2018).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from urllib.parse import unquote

from vssbench.environment import vssbench_commit
from vssbench.errors import UserError
from vssbench.results.figures import Reading, figures
from vssbench.results.record import RunResult

SHORT = 8
"""Hexadecimal digits of a digest that are kept."""
COSTS = ("gflops", "params", "fps(step)", "fps(step+decode)", "fps(end_to_end)")
"""Costs whose lines a result keeps, in addition to those of its metrics."""
_FORM = "FIGURE|name:value|... = NUMBER, as `vssbench cite` prints it"
_ESCAPED = {"%": "%25", "|": "%7C", "\n": "%0A", "\r": "%0D"}


@dataclass(frozen=True)
class Signature:
    """figure: name in the catalogue;  parts: (name, value) in order;  value: the number as printed, "-" for none."""

    figure: str
    parts: tuple[tuple[str, str], ...]
    value: str

    def __str__(self) -> str:
        named = (f"{name}:{_escaped(value)}" for name, value in self.parts)
        return f"{'|'.join([_escaped(self.figure), *named])} = {self.value}"


def parse(text: str) -> Signature:
    """Read a signature from its line, so that `parse(str(one)) == one`. Raises UserError for anything else."""
    found = re.fullmatch(r"(?P<what>[^\n]+) = (?P<value>≥?-?\d+(\.\d+)?(e[+-]?\d+)?|-)", text.strip())
    if found is None:
        raise UserError(f"{text.strip()[:80]!r} is not a signature", expected=_FORM)
    figure, *parts = found["what"].split("|")
    pairs = [part.partition(":") for part in parts]
    if any(not name or not colon for name, colon, _ in pairs):
        raise UserError(f"{text.strip()[:80]!r} is not a signature", expected=_FORM)
    return Signature(unquote(figure), tuple((name, unquote(value)) for name, _, value in pairs), found["value"])


def signatures(result: RunResult) -> dict[str, Signature]:
    """Return figure -> signature for every metric and cost that has a number in the result."""
    return {one.figure.name: _signature(result, one) for one in figures(result) if one.value is not None}


def lines(result: RunResult) -> dict[str, str]:
    """Return what a result keeps: figure -> signature as text, for its metrics and COSTS that have a number."""
    return {
        one.figure.name: str(_signature(result, one))
        for one in figures(result)
        if one.value is not None and (one.figure.metric or one.figure.name in COSTS)
    }


def differences(cited: Signature, result: RunResult) -> list[str]:
    """Return where a citation and the result differ, one line each; empty where the citation is right."""
    mine = signatures(result).get(cited.figure)
    if mine is None:
        return [f"the result has no {cited.figure}"]
    there, here = dict(cited.parts), dict(mine.parts)
    found = [
        f"{name}: {there.get(name, 'not said')} cited, {here.get(name, 'not said')} in the result"
        for name in {**there, **here}
        if there.get(name) != here.get(name)
    ]
    if cited.value != mine.value:
        found.append(f"{cited.figure}: {cited.value} cited, {mine.value} in the result")
    return found


def _signature(result: RunResult, reading: Reading) -> Signature:
    info, figure = result.dataset, reading.figure
    accuracy = figure.topic == "accuracy"
    environment = result.environment
    size = (result.gflops or {}).get("size")
    sha, runtime = result.weights.sha256, result.runtime or {}
    exact = runtime.get("precision") in (None, "float32")
    parts = {
        "protocol": reading.protocol if accuracy else None,
        "data": f"{info.spec}.{info.split}",
        "clips": str(info.clips),
        "skipped": str(len(result.skipped)) if accuracy and result.skipped else None,
        "files": (info.files or "")[:SHORT] or None,
        "codec": result.codec,
        "method": result.method,
        "weights": sha[:SHORT] if sha else None if result.weights.origin == "none" else result.weights.origin,
        "frame": "x".join(map(str, size)) if size and figure.topic in ("gflops", "speed") else None,
        "counter": (result.gflops or {}).get("counter") if figure.topic == "gflops" else None,
        "runtime": runtime.get("name") if figure.machine else None,
        "precision": runtime.get("precision") if figure.machine or not exact else None,
        "device": environment.get("device_name") or environment.get("cpu") if figure.machine else None,
        "threads": str(environment["threads"]) if figure.machine and environment.get("threads") else None,
        "vssbench": (environment.get("packages") or {}).get("vssbench"),
        "commit": vssbench_commit(environment, SHORT),
    }
    assert reading.value is not None
    text = ("≥" if reading.at_least else "") + figure.text(reading.value, significant=4)
    return Signature(figure.name, tuple((name, value) for name, value in parts.items() if value), text)


def _escaped(text: str) -> str:
    return "".join(_ESCAPED.get(letter, letter) for letter in text)
