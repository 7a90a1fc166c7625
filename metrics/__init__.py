"""The metrics: statistics kept per clip, and the named protocols that read numbers off them."""

from vssbench.registry import Entry

_CONFUSION, _BOUNDARY, _CONSISTENCY = (
    "vssbench.metrics.accuracy.confusion:Confusion",
    "vssbench.metrics.accuracy.boundary:Boundary",
    "vssbench.metrics.accuracy.consistency:Consistency",
)

BUILTIN: dict[str, Entry] = {
    "mIoU": Entry(_CONFUSION, "mean intersection over union, %"),
    "WIoU": Entry(_CONFUSION, "IoU weighted by the classes' frequency, % (also fwIoU)"),
    "pixel_accuracy": Entry(_CONFUSION, "share of labelled pixels that are right, %"),
    "class_accuracy": Entry(_CONFUSION, "mean over classes of the share of their pixels that is right, %"),
    "BIoU": Entry(
        _BOUNDARY, "boundary IoU, mean over classes, %; BIoU(width=0.02): width as a share of the image's diagonal"
    ),
    "VC": Entry(_CONSISTENCY, "VC@n: video consistency over windows of n frames, %"),
    "TC": Entry("vssbench.metrics.accuracy.temporal:Temporal", "TC(flow=dis): IoU with the previous frame, warped, %"),
    "VCC": Entry(_CONSISTENCY, "VCC@n: video consistency that also requires the prediction to be right, %"),
}
