"""Named protocols: which clips, pixels, classes and windows a number is a mean over.

Papers in this field print numbers from several scripts that disagree. Each protocol here reproduces one script from the
same stored counts, so one run can be read under any of them, and numbers of different protocols never share a name.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from vssbench.errors import UserError, suggest
from vssbench.metrics.accuracy import scripts
from vssbench.metrics.accuracy.scripts import Areas, Counts, Figures


@dataclass(frozen=True)
class Windows:
    """The windows that VC is a mean over: whether a clip's last one counts, and whether void is a label like others."""

    last: bool
    void: bool


@dataclass(frozen=True)
class Protocol:
    """One way to read the counts.

    summary:  what sets it apart, in one line
    areas:    how its script books the pixels of a matrix
    means:    from booked pixels to accuracies
    shortest: the least number of labelled frames that a clip must have
    windows:  None where the protocol has no VC
    strict:   a predicted id that is not a class is an error
    """

    name: str
    summary: str
    description: str
    areas: Callable[[Counts], Areas | str]
    means: Callable[[Areas], Figures]
    shortest: int = 1
    windows: Windows | None = None
    strict: bool = False

    def figures(self, matrix: Counts) -> Figures | str:
        """Return the accuracies from int64[C + 1, 256], or why the script has none."""
        areas = self.areas(matrix)
        return areas if isinstance(areas, str) else self.means(areas)


_ALL = (
    Protocol(
        "exact",
        "our recommendation: every clip and window, no void anywhere, mean over the classes with ground truth",
        "Our recommendation. All clips and all windows; pixels without a label are left out everywhere, VC included; "
        "mIoU is the mean over the classes with ground truth, a set that does not depend on the method; a predicted id "
        "that is not a class is an error. VC@n is the mean over the windows of all clips together.",
        scripts.exact_areas,
        scripts.over_ground_truth,
        windows=Windows(last=True, void=False),
        strict=True,
    ),
    Protocol(
        "vspw",
        "MRCFA's VC script for VSPW: clips of 17 labelled frames or more, void counts as a label in VC",
        "The VC script of VSPW as MRCFA ships it. Clips of 16 labelled frames or fewer are left out of everything; "
        "mIoU is the mean over the classes with ground truth; a predicted id from C on is booked in another class's "
        "row (255 of 124 classes: two rows down, column 7). VC@n is the mean over the windows of all clips together, "
        "without the last window of each clip, and void counts as a label. VCC@n takes the same windows without void. "
        "Not reproduced: hidden files next to the masks count as some of the script's 16 frames, and a stray value "
        "(such as 252 in VSPW) that does not move is a label of its own in the script.",
        scripts.vspw_areas,
        scripts.over_ground_truth,
        shortest=17,
        windows=Windows(last=False, void=True),
    ),
    Protocol(
        "detectron2",
        "MPVSS's evaluator: mean over the classes with ground truth or prediction; no VC",
        "The evaluator of MPVSS, copied from an older detectron2. All clips; mIoU divides by the number of classes "
        "with ground truth or prediction, so a class that is predicted and never annotated is a zero in the mean; "
        "pixels predicted as the void id C are left out; an id above C stops it. It computes no VC.",
        scripts.detectron2_areas,
        scripts.over_occurring,
    ),
    Protocol(
        "mmseg",
        "mmsegmentation 0.x: mean over the classes that occur, a predicted id C is the last class; no VC",
        "The mean IoU of mmsegmentation 0.x (CFFM, MRCFA's test tool, TV3S). All clips; the mean over classes that "
        "occur in ground truth or prediction, predicted-only ones as 0; a predicted id outside the classes is a miss, "
        "but C itself counts as the last class. WIoU weighs these IoUs by the classes' frequency. It computes no VC.",
        scripts.mmseg_areas,
        scripts.over_unions,
    ),
    Protocol(
        "mmseg1",
        "mmsegmentation 1.x and Hugging Face's evaluate: as mmseg, but a predicted id C is a miss; no VC",
        "The mean IoU of mmsegmentation 1.x, and of Hugging Face's evaluate: as mmseg, but a predicted id C is a miss "
        "like any other id outside the classes. It computes no VC.",
        scripts.open_areas,
        scripts.over_unions,
    ),
    Protocol(
        "cityscapes",
        "Cityscapes' official script: mean over the classes that occur, a predicted void is a miss; no VC",
        "Cityscapes' official script (cityscapesScripts 2.3.0, evalPixelLevelSemanticLabeling). All clips; the mean "
        "over classes that occur in ground truth or prediction, predicted-only ones as 0; void ground truth counts "
        "nowhere, and a predicted void, or any other id that is not a class, is a miss. WIoU and accuracies come from "
        "the same pixels; the script prints none. Its category and instance scores are not computed, and no VC.",
        scripts.open_areas,
        scripts.over_unions,
    ),
    Protocol(
        "espnet",
        "ESPNet on CamVid: mean over all classes, a pixel of void ground truth is a false positive; no VC",
        "ESPNet's figures on CamVid (found from its published numbers; its repository has no script for them). All "
        "clips; the plain mean over the classes without void; a pixel of void ground truth is a false positive of the "
        "class that is predicted there, and a pixel predicted as void (id C) is a miss. class_accuracy is the plain "
        "mean of the shares of each class that are right. It computes no VC.",
        scripts.espnet_areas,
        scripts.over_every_class,
    ),
    Protocol(
        "vspw_vc",
        "VSPW's own VC script: VC and VCC alone, without each clip's last window, void counts as a label",
        "VSPW's own VC script (VC_perclip.py as the dataset's authors ship it), which computes VC alone. A clip needs "
        "more than n frames for VC@n; the mean is over the windows of all clips together, without the last of each; "
        "void counts as a label. VCC@n takes the same windows without void. Not reproduced: the script compares file "
        "values, of which 0 and 255 both mean void, so a pixel that changes between them is constant here and not "
        "there: 0.09 points where a thousandth of the frame does, none where one value alone is in use.",
        scripts.no_areas,
        scripts.over_ground_truth,
        windows=Windows(last=False, void=True),
    ),
    Protocol(
        "arseg",
        "AR-Seg's evaluator: mean over all classes, not a number where one never occurs; no VC",
        "AR-Seg's evaluator. One matrix over the split and the plain mean over all classes of the label space (on "
        "CamVid 12, with void as a class: labels=camvid12); if a class occurs neither in ground truth nor prediction, "
        "mIoU is not a number. The script counts in float32 and loses single pixels above 2**24 per cell; counts here "
        "are exact. The paper quotes the plain mean of the mIoU at distances 0 to 11 from the key frame. It computes "
        "no VC.",
        scripts.arseg_areas,
        scripts.over_all,
    ),
)
PROTOCOLS = {protocol.name: protocol for protocol in _ALL}
_DEFAULTS = {"vspw": "vspw", "cityscapes": "cityscapes"}


def default_protocol(dataset: str) -> str:
    """Return the headline protocol of a dataset, by its name without arguments."""
    return _DEFAULTS.get(dataset, "exact")


def find(name: str) -> Protocol:
    """Return the protocol of that name; raises UserError with a suggestion for an unknown one."""
    if name not in PROTOCOLS:
        raise UserError(f"unknown protocol {name!r}", expected=suggest(name, PROTOCOLS))
    return PROTOCOLS[name]
