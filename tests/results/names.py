"""Names of figures, for property tests."""

from __future__ import annotations

from hypothesis import strategies as st

from vssbench.results.figures import CATALOGUE
from vssbench.specs import Spec


def figure_names() -> st.SearchStrategy[str]:
    """Names of every family: costs, metrics with and without window and protocol, any class, distance or rate."""
    return st.one_of(
        st.sampled_from(sorted(CATALOGUE)),
        st.integers(1, 99).map(lambda frames: f"VC@{frames}"),
        st.sampled_from(["mIoU", "WIoU(protocol=mmseg)", "VCC@8(protocol=exact)", "of_a_plugin", "of_a_plugin@3(a=b)"]),
        st.text(max_size=12).map(lambda name: str(Spec("IoU", (("class", name),)))),
        st.integers(0, 10**6).map(lambda frames: f"mIoU(distance={frames})"),
        st.sampled_from(["sIoU", "spixel_accuracy", "dropped", "age"]).map(lambda name: f"{name}(fps=29.97)"),
        st.integers(1, 240).map(lambda fps: f"age(p99,fps={fps})"),
    )
