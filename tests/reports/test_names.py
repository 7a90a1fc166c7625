"""Short names of methods: as short as they stay different."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vssbench.reports.names import distinct, short, shortened


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
def test_a_short_name_says_what_tells_methods_apart(method: str, name: str) -> None:
    assert short(method) == name


def test_what_would_be_the_same_stays_whole() -> None:
    autos = ["mpvss(key_interval=auto(threshold=12))", "mpvss(key_interval=auto(threshold=9))"]
    assert shortened([*autos, "mpvss(key_interval=3)"]) == [*autos, "mpvss K=3"]


def test_one_method_measured_twice_is_counted() -> None:
    assert shortened(["mpvss", "mpvss #2", "hold(of=mpvss)"]) == ["mpvss", "mpvss #2", "hold of mpvss"]


@given(st.lists(st.tuples(st.sampled_from("abc"), st.sampled_from("xyz")), max_size=12))
def test_names_are_distinct(pairs: list[tuple[str, str]]) -> None:
    names = distinct([name for name, _ in pairs], [f"{name}({whole})" for name, whole in pairs])
    assert len(set(names)) == len(pairs)
