"""The same findings for people, CI and programs; any text leaves the format valid."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.gate.made import result, snapshot
from vssbench.gate import github, junit
from vssbench.gate import text as table
from vssbench.gate.check import check
from vssbench.gate.rules import Rule, rules_of
from vssbench.gate.verdict import Report, Verdict, change, figure, headline, paired, plain, sentence
from vssbench.stats.comparison import Comparison

RULES = rules_of({"mIoU": -0.1, "gflops": "+0.5%"})
NASTY = [
    "a|b",
    r"a\|b",
    "<script>",
    "`tick`",
    "two\nlines",
    "\x00\x1b[31m",
    "[bold]x[/bold]",
    "::error::",
    "&amp;%0A,:",
    "\ud800",
]
texts = st.one_of(st.sampled_from(NASTY), st.text())


@pytest.fixture
def report() -> Report:
    """One of each: failed, missing, not comparable, new, fine and never measured."""
    now = [
        result(wrong=150),
        result("arseg", codec="h264"),
        result("mrcfa"),
        result("replay", gflops=None, params_m=None),
    ]
    before = [result(), result("arseg"), result("psp18"), result("replay", gflops=None, params_m=None)]
    return check(snapshot(*now), snapshot(*before), RULES)


def verdict(text: str, status: str = "fail") -> Verdict:
    return Verdict(text, text, "exact", "mIoU", "-0.1", False, status, 80.0, 79.0, -1.0, text)  # type: ignore[arg-type]


def test_headline_counts_every_status(report: Report) -> None:
    assert report.counts == {"fail": 1, "missing": 2, "incomparable": 2, "new": 2, "pass": 2, "absent": 1}
    assert headline(report) == (
        "worse than the baseline: 1 worse, 2 missing, 2 not comparable, 2 new, 2 fine, 1 not measured"
    )


def test_junit_has_one_case_per_verdict(report: Report) -> None:
    root = ElementTree.fromstring(junit.document(report).encode())
    assert root.tag == "testsuites"
    (suite,) = root
    assert suite.attrib == {"name": "synthetic val", "tests": "10", "failures": "3", "errors": "2", "skipped": "3"}
    assert [name.get("name") for name in suite.iter("property")] == ["baseline", "results"]
    cases = {(case.get("classname"), case.get("name")): case for case in suite.iter("testcase")}
    assert len(cases) == 10
    (failure,) = cases["mpvss", "mIoU"]
    assert (failure.tag, failure.get("type")) == ("failure", "fail")
    assert failure.get("message") == failure.text == "worse: mIoU 73.91, was 81.82: -7.91, limit -0.1"
    assert [child.tag for child in cases["arseg", "gflops"]] == ["error"]
    assert [child.tag for child in cases["mrcfa", "mIoU"]] == ["skipped"]
    assert list(cases["mpvss", "gflops"]) == []
    assert root.attrib == {"name": "vssbench", "tests": "10", "failures": "3", "errors": "2"}
    for name, tag in (("failures", "failure"), ("errors", "error"), ("skipped", "skipped")):
        assert len(list(root.iter(tag))) == int(suite.attrib[name])


@given(st.lists(texts, min_size=1, max_size=4))
def test_junit_is_valid_xml_for_any_text(some: list[str]) -> None:
    report = Report(tuple(map(verdict, some)), (), baseline=some[0], results=some[-1])
    root = ElementTree.fromstring(junit.document(report).encode())
    found = [case.get("classname") for case in root.iter("testcase")]
    assert len(found) == len(some)
    plain = [text for text in some if re.fullmatch(r"[ -~]*", text)]
    assert set(plain) <= set(found)
    assert "skipped" not in root.attrib  # junit-10.xsd, which Jenkins follows, allows it on a suite only


def cells(row: str) -> list[str]:
    """Split a row of a Markdown table at the bars that are not escaped."""
    return re.split(r"(?<!\\)(?:\\\\)*\|", row.strip()[1:-1])


def test_summary_shows_problems_first_and_folds_the_rest(report: Report) -> None:
    text = github.markdown(report)
    assert text.startswith(f"## vssbench: {headline(report)}\n")
    first, folded = text.split("<details>")
    assert "`mpvss` | `synthetic val` | `mIoU` | 81.82 | 73.91 | -7.91 |" in first
    assert "`arseg`" in first
    assert "`replay`" not in first
    assert "3 more" in folded
    rows = [line for line in text.splitlines() if line.startswith("|")]
    assert {len(cells(row)) for row in rows} == {9}
    assert len(rows) == 10 + 2 * 2


@given(st.lists(texts, min_size=1, max_size=4))
def test_summary_table_keeps_its_columns_for_any_text(some: list[str]) -> None:
    statuses = ["fail", "pass"] * 2
    report = Report(tuple(map(verdict, some, statuses)), (), notes=(some[0],))
    rows = [line for line in github.markdown(report).split("\n") if line.startswith("|")]
    assert {len(cells(row)) for row in rows} == {9}
    assert len(rows) == len(some) + 2 * (1 + (len(some) > 1))


def test_markup_in_summary_texts_is_escaped() -> None:
    assert github.escape("a|b <img> *x* [l](u) `c`\n# h") == r"a\|b \<img\> \*x\* \[l\](u) \`c\` \# h"
    assert github.code("hold(of=oracle)") == "`hold(of=oracle)`"
    assert github.code('replay(predictions="a|b")') == r'<code>replay(predictions="a\|b")</code>'
    assert github.code("a`b<i>") == r"<code>a\`b\<i\></code>"


def test_each_problem_has_one_annotation(report: Report) -> None:
    lines = github.problems(report)
    assert len(lines) == 5
    assert lines[0] == (
        "::error title=vssbench%3A mpvss on synthetic val::worse: mIoU 73.91, was 81.82: -7.91, limit -0.1"
    )


@given(texts)
def test_annotation_is_one_line_for_any_text(text: str) -> None:
    (line,) = github.problems(Report((verdict(text),), ()))
    assert "\n" not in line
    assert "\r" not in line
    title, _, message = line.removeprefix("::error title=").partition("::")
    assert ":" not in title
    assert "," not in title
    for mark, code in (("%0A", "\n"), ("%0D", "\r"), ("%3A", ":"), ("%2C", ","), ("%25", "%")):
        title, message = title.replace(mark, code), message.replace(mark, code)
    assert title == f"vssbench: {text} on {text}"
    assert message == sentence(verdict(text))


@given(texts)
def test_texts_for_people_are_printable_single_lines(text: str) -> None:
    assert plain(text).isprintable()
    if text.isprintable() and text == " ".join(text.split()):
        assert plain(text) == text
    some = Report((verdict(text),), (), notes=(text,), baseline=text)
    for told in (github.markdown(some), table.comparison(some)):
        assert [char for char in told if not char.isprintable() and char != "\n"] == []
    note, title, end = table.comparison(some).splitlines()[-3:]
    assert (note, title, end) == (f"note: {plain(text)}".rstrip(), f"baseline: {plain(text)}".rstrip(), headline(some))


def test_json_report_has_every_verdict_and_field(report: Report) -> None:
    data = json.loads(json.dumps(report.to_json()))
    assert data["exit_status"] == 1
    assert data["rules"] == {"mIoU": "-0.1", "gflops": "+0.5%"}
    assert sum(data["counts"].values()) == len(data["verdicts"]) == 10
    assert data["verdicts"][0] | {"change": None, "baseline": None, "current": None} == {
        "method": "mpvss", "dataset": "synthetic val", "protocol": "exact", "metric": "mIoU", "limit": "-0.1",
        "relative": False, "status": "fail", "baseline": None, "current": None, "change": None, "why": None,
        "paired": None,
    }  # fmt: skip


def test_table_lists_the_worst_first_without_colour_codes(report: Report) -> None:
    lines = table.comparison(replace(report, notes=("[red]no markup[/red]",))).splitlines()
    assert lines[0] == "synthetic val, protocol exact"
    assert lines[2].split()[:6] == ["worse", "mpvss", "mIoU", "81.82", "73.91", "-7.91"]
    assert "note: [red]no markup[/red]" in lines
    assert lines[-1] == headline(report)
    assert not any("\x1b" in line for line in lines)


def test_difference_shows_dropped_added_and_changed_entries() -> None:
    old, new = snapshot(result(), result("arseg")).entries, snapshot(result(wrong=150), result("mrcfa")).entries
    words = [line.split() for line in table.difference(old, new).splitlines()[1:]]
    assert ["arseg", "synthetic", "val", "dropped"] in words
    assert ["mrcfa", "synthetic", "val", "added"] in words
    assert ["mpvss", "synthetic", "val", "mIoU", "81.82", "73.91"] in words
    assert table.difference(old, old) == "no figure changes"


def test_difference_lists_only_the_first_of_many_figures() -> None:
    """The other figures are latencies and figures of classes."""
    sides = []
    for wrong in (100, 150):
        times = dict.fromkeys(("mean", "p50", "p90", "p99"), 1.0 + wrong)
        latency = {"all": dict.fromkeys(("step", "step+decode", "end_to_end"), times)}
        classes = {f"class {number}": wrong / 10 for number in range(30)}
        sides.append(snapshot(result(wrong=wrong, latency_ms=latency, per_class=classes)).entries)
    lines = [line.split() for line in table.difference(*sides).splitlines()[1:]]
    assert [line[3] for line in lines[:4]] == ["mIoU", "WIoU", "latency(mean,step)", "latency(p50,step)"]
    assert len(lines) == table.SHOWN + 1
    assert lines[-1][3:] == ["and", "24", "more,", "such", "as", 'IoU(class="class', '6")']


def test_difference_notes_changed_conditions_and_weights() -> None:
    """Fewer clips make a weaker baseline; different weights make a different one."""
    changed = result(clips=("a", "b"), codec="h264")
    changed.weights.sha256 = "a" * 64 + "," + "b" * 64
    told = table.difference(snapshot(result()).entries, snapshot(changed).entries)
    assert "note: mpvss on synthetic val: codec: none then, h264 now; clips that count: 3 then, 2 now;" in told
    assert f"note: weights of mpvss on synthetic val: {'a' * 12} then, {'a' * 12}, {'b' * 12} now" in told


def test_table_has_a_dataset_column_for_several_datasets() -> None:
    sides = [result(), result(dataset={"spec": "camvid"})]
    report = check(snapshot(*sides), snapshot(*sides), RULES)
    told = table.comparison(report)
    assert told.splitlines()[:2] == ["synthetic val, protocol exact", "camvid val, protocol exact"]
    assert "mpvss   synthetic val  mIoU" in told
    assert "mpvss   camvid val     mIoU" in told


def test_paired_text_is_empty_without_a_change() -> None:
    one = verdict("a")
    assert paired(one) == ""
    for comparison, text in [
        (Comparison(0.0, 0.0, 0.0, 1.0, clips=12), ""),
        (Comparison(None, reason="no clip says anything"), ""),
        (Comparison(-1.0, p=0.25, reason="3 clips: an interval needs 10"), "3 clips: an interval needs 10"),
        (Comparison(-1.0, -1.5, -0.5, 0.01, clips=12), "over 12 clips: -1.50 to -0.50 (95%), p = 0.01"),
    ]:
        assert paired(replace(one, paired=comparison)) == text


@pytest.mark.parametrize(
    ("metric", "value", "text"),
    [
        ("mIoU", 65.0149, "65.01"),
        ("gflops", 0.11584, "0.1158"),
        ("fps(step)", 67.71, "67.7"),
        ("params", 0.50712, "0.5071"),
        ("params", None, "–"),
    ],
)
def test_figures_are_printed_with_their_precision(metric: str, value: float | None, text: str) -> None:
    assert figure(metric, value) == text


def test_changes_have_a_sign_and_the_unit_of_their_limit() -> None:
    one = verdict("a")
    assert [change(replace(one, change=value)) for value in (-0.51234, 1.0, 0.0, 1e-12, None)] == [
        "-0.512", "+1", "0", "0", "–",
    ]  # fmt: skip
    assert change(replace(one, change=-12.34, relative=True, limit=Rule("fps(step)", -5, True).text)) == "-12.3%"
