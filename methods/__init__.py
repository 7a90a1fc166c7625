"""The methods: one folder each. This table is all that `vssbench list` reads; nothing is imported before it is used."""

from vssbench.registry import Entry

BUILTIN: dict[str, Entry] = {
    "oracle": Entry(
        "vssbench.methods.oracle.adapter:Oracle", "the ground truth itself (void becomes class 0)", needs="labels"
    ),
    "hold": Entry("vssbench.methods.hold.adapter:Hold", "of=METHOD on key frames, its labels repeated on the others"),
    "flowwarp": Entry(
        "vssbench.methods.flowwarp.adapter:FlowWarp",
        "of=METHOD on key frames, carried to the others by dense optical flow (DIS)",
        paper="Kroeger et al., Fast Optical Flow using Dense Inverse Search, ECCV 2016",
    ),
    "replay": Entry("vssbench.methods.replay.adapter:Replay", "label PNGs on disk: predictions=DIR/<clip>/<frame>.png"),
    "mrcfa": Entry(
        "vssbench.methods.mrcfa.adapter:Mrcfa",
        "each frame against three earlier ones through cross-frame affinities",
        paper="Sun et al., Mining Relations among Cross-Frame Affinities for Video Semantic Segmentation, ECCV 2022",
        licence="MIT file, README says academic use only",
        weights="--checkpoint mrcfa=FILE (the official .pth)",
    ),
}
