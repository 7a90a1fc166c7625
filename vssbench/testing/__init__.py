"""Conformance kits: does a method, a metric or a dataset keep the contract that the harness relies on?

    from vssbench.testing import check_method
    def test_my_method():
        check_method("my_method(key_interval=3)")

Each check returns a `Report` or raises `CheckFailed`, an AssertionError that lists everything found.
"""

from vssbench.testing.dataset import check_dataset
from vssbench.testing.findings import CheckFailed, Report
from vssbench.testing.made_clips import random_clip
from vssbench.testing.method import check_method
from vssbench.testing.metric import check_metric

__all__ = ["CheckFailed", "Report", "check_dataset", "check_method", "check_metric", "random_clip"]
