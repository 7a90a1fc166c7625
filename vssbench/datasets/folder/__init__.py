"""Any folder of labelled or unlabelled video, described by a file of ten lines: `--dataset my_video.yaml`.

VSPW, Cityscapes and CamVid remain classes, because each does more than a description can express: VSPW scores masks
without frames, Cityscapes cuts snippets around labels of two encodings, and CamVid cuts sequences where numbers jump
and finds the frames between its labels; all three know how much their releases hold.
"""
