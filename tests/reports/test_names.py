"""Short names of methods: as short as possible while they stay different."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vssbench.reports.names import clear, names, runs, short, short_names, shortened
from vssbench.reports.rows import Row, measured
from vssbench.results.record import DatasetInfo, RunResult, WeightsInfo

INFO = DatasetInfo(
    spec="camvid",
    split="val",
    labels="camvid",
    classes=["a"],
    clips=1,
    frames=1,
    labelled=1,
    fingerprint="0",
    names=["c"],
)


@pytest.mark.parametrize(
    ("method", "name"),
    [
        ("mpvss", "mpvss"),
        ("mpvss(key_interval=3)", "mpvss K=3"),
        ("mpvss(key_interval=auto(max=10,threshold=12))", "mpvss K=auto"),
        ("mask2former(backbone=swin_t,labels=vspw)", "mask2former swin_t labels=vspw"),
        ("hold(key_interval=5,of=mask2former(backbone=r50))", "hold of mask2former K=5 r50"),
        ("psp18(scale=0.5)", "psp18 scale=0.5"),
        ("mrcfa(references=none)", "mrcfa references=none"),
        ("replay(predictions=/some/where/mine/)", "replay predictions=mine"),
    ],
)
def test_short_name_keeps_the_distinguishing_arguments(method: str, name: str) -> None:
    assert short(method) == name


def test_ambiguous_short_name_is_replaced_by_the_full_ones() -> None:
    assert clear(["a", "a", "b"], ["a(x=1)", "a(x=2)", "b"]) == ["a(x=1)", "a(x=2)", "b"]


def test_names_that_would_become_equal_are_not_shortened() -> None:
    autos = ["mpvss(key_interval=auto(threshold=12))", "mpvss(key_interval=auto(threshold=9))"]
    assert shortened([*autos, "mpvss(key_interval=3)"]) == [*autos, "mpvss K=3"]


def test_shortened_name_keeps_its_run_suffix() -> None:
    assert shortened(["mpvss @ a", "mpvss @ b", "hold(of=mpvss)"]) == ["mpvss @ a", "mpvss @ b", "hold of mpvss"]


def row(method: str, folder: str | None = None, day: str | None = None, commit: str | None = None) -> Row:
    environment = {"commit": commit, "dirty": False} if commit else {}
    weights = WeightsInfo(origin="none")
    result = RunResult(
        method=method, dataset=INFO, protocol="exact", weights=weights, environment=environment, started=day
    )
    return measured(result, Path(folder) / "method" if folder else None)


def test_method_measured_twice_is_named_with_folder_date_and_commit() -> None:
    rows = [
        row("mpvss(key_interval=3)", "/results/monday", "2026-05-04T10:00:00+00:00", "1a2b3c4d5e6f"),
        row("mpvss(key_interval=3)", "/results/friday"),
        row("arseg", "/results/friday"),
    ]
    monday = "monday, 2026-05-04, 1a2b3c4d"
    assert names(rows) == [f"mpvss(key_interval=3) @ {monday}", "mpvss(key_interval=3) @ friday", "arseg"]
    assert short_names(rows) == [f"mpvss K=3 @ {monday}", "mpvss K=3 @ friday", "arseg"]
    assert shortened(names(rows)) == short_names(rows)
    assert names(rows[1:]) == ["mpvss(key_interval=3)", "arseg"]


def test_run_folders_of_equal_name_include_their_parent() -> None:
    assert runs([row("a", "/x/one/run"), row("a", "/x/two/run"), row("b", "/x/two/run")]) == [
        "one/run",
        "two/run",
        "two/run",
    ]


@given(st.lists(st.tuples(st.sampled_from("ab"), st.sampled_from(["/x/r", "/y/r", "/z", None])), max_size=12))
def test_names_and_short_names_are_distinct(pairs: list[tuple[str, str | None]]) -> None:
    rows = [row(method, folder) for method, folder in pairs]
    assert len(set(names(rows))) == len(set(short_names(rows))) == len(pairs)
