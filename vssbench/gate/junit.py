"""The gate's findings as JUnit XML: a suite per dataset, a test per method and figure."""

from __future__ import annotations

import re
from xml.etree import ElementTree

from vssbench.gate.verdict import FAILURES, Report, Verdict, sentence

_FORBIDDEN = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def document(report: Report) -> str:
    """Return the whole file. Figures that cannot be compared are errors; new or unmeasured ones are skipped."""
    total = _counts(report.verdicts)
    del total["skipped"]  # strict readers accept it on a suite only
    root = ElementTree.Element("testsuites", {"name": "vssbench", **total})
    for dataset in dict.fromkeys(verdict.dataset for verdict in report.verdicts):
        verdicts = [verdict for verdict in report.verdicts if verdict.dataset == dataset]
        suite = ElementTree.SubElement(root, "testsuite", {"name": _clean(dataset), **_counts(verdicts)})
        properties = ElementTree.SubElement(suite, "properties")
        for name, value in (("baseline", report.baseline), ("results", report.results)):
            ElementTree.SubElement(properties, "property", {"name": name, "value": _clean(value)})
        for verdict in verdicts:
            _case(suite, verdict)
    ElementTree.indent(root)
    return ElementTree.tostring(root, encoding="unicode", xml_declaration=True) + "\n"


def _case(suite: ElementTree.Element, verdict: Verdict) -> None:
    names = {"classname": _clean(verdict.method), "name": _clean(verdict.metric), "time": "0"}
    case = ElementTree.SubElement(suite, "testcase", names)
    if kind := _kind(verdict):
        message = _clean(sentence(verdict))
        ElementTree.SubElement(case, kind, {"message": message, "type": verdict.status}).text = message


def _kind(verdict: Verdict) -> str | None:
    """Return the element name for a test that did not pass, None for one that did."""
    if verdict.status in FAILURES:
        return "failure"
    return {"incomparable": "error", "new": "skipped", "absent": "skipped"}.get(verdict.status)


def _counts(verdicts: tuple[Verdict, ...] | list[Verdict]) -> dict[str, str]:
    kinds = [_kind(verdict) for verdict in verdicts]
    counted = {"failures": "failure", "errors": "error", "skipped": "skipped"}
    return {"tests": str(len(kinds)), **{name: str(kinds.count(kind)) for name, kind in counted.items()}}


def _clean(text: str) -> str:
    """Return the text without the characters that XML cannot hold, even escaped."""
    return _FORBIDDEN.sub("\ufffd", text)
