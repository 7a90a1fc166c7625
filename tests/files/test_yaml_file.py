"""Settings in YAML: a file of a few lines cannot expand to thousands of millions of values."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from vssbench.errors import UserError
from vssbench.files.yaml_file import read_yaml

LAUGHS = "a0: &a0 [x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]\n" for n in range(1, 12)
)
MERGES = "a0: &a0 {k: 1}\n" + "".join(f"a{n}: &a{n}\n  <<: [{', '.join([f'*a{n - 1}'] * 9)}]\n" for n in range(1, 12))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (LAUGHS, r"bench\.yaml:\d+:\d+: is not YAML: more than 100000 values with aliases expanded"),
        (f"{LAUGHS}methods: *a9\n", "more than 100000 values"),
        (MERGES, "more than 100000 values"),
        ("a: &a [*a]", r"bench\.yaml:1:4: is not YAML: it holds itself"),
        ("a: &a {<<: *a}", "it holds itself"),
        ("a: " + "[" * 3000 + "]" * 3000, "cannot be read"),
        ("a: " + "1:" * 10**5 + "1", r"bench\.yaml:1:4: is not YAML: a number of 200001 digits"),
        ("a: " + "1:" * 10**3 + "1.5", "a number of 2003 digits"),
        ("a: " + "x" * (10**6 + 1), "more than 1000000 bytes"),
        ("? [1]\n: 2", "cannot be read|is not YAML"),
    ],
)
def test_exploding_or_oversized_yaml_is_refused_at_once(text: str, message: str, tmp_path: Path) -> None:
    (tmp_path / "bench.yaml").write_text(text)
    began = time.perf_counter()
    with pytest.raises(UserError, match=message) as error:
        read_yaml(tmp_path / "bench.yaml")
    assert len(str(error.value)) < 400
    assert time.perf_counter() - began < 10


def test_anchors_and_merge_keys_are_read(tmp_path: Path) -> None:
    (tmp_path / "bench.yaml").write_text("base: &base {frames: 3, rounds: 4}\nlatency:\n  <<: *base\n  rounds: 5\n")
    data, places, repeated = read_yaml(tmp_path / "bench.yaml")
    assert data["latency"] == {"frames": 3, "rounds": 5}
    assert places["latency",] == (2, 1)
    assert repeated == []
