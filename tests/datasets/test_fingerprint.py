"""One digest for the names of clips and frames: it stays the same for results of earlier runs."""

from __future__ import annotations

import json
from hashlib import sha256
from types import SimpleNamespace

from tests.helpers.paths import DATA
from vssbench.datasets.fingerprint import digest, fingerprint
from vssbench.load import load_dataset

CLIPS = {"a": ["1", "2"], "ö\udc80": ["x"]}


def test_fingerprint_is_the_sha256_of_clip_and_frame_names() -> None:
    dataset = SimpleNamespace(clips=lambda: list(CLIPS), stems=CLIPS.get)
    assert fingerprint(dataset) == sha256(b"a\x001\x002\x00\n\xc3\xb6\x80\x00x\x00\n").hexdigest()
    assert digest(["a", "b"]) == sha256(b"a\0b").hexdigest()


def test_fingerprint_matches_that_of_an_earlier_result() -> None:
    kept = json.loads((DATA / "results/schema_1/identity.json").read_text(encoding="utf-8"))
    assert fingerprint(load_dataset(kept["dataset"], None, kept["split"])) == kept["fingerprint"]
