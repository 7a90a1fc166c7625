"""The datasets. Label shifts live in labels/*.yaml and are applied once, here, by the dataset."""

from vssbench.registry import Entry

BUILTIN: dict[str, Entry] = {
    "synthetic": Entry("vssbench.datasets.synthetic.dataset:Synthetic", "labelled video made on the fly from a seed"),
    "vspw": Entry("vssbench.datasets.vspw:VSPW", "VSPW 480p, 124 classes, every frame labelled"),
    "cityscapes": Entry(
        "vssbench.datasets.cityscapes:Cityscapes", "Cityscapes video, 19 classes, the 20th frame labelled"
    ),
    "camvid": Entry("vssbench.datasets.camvid:CamVid", "CamVid, 11 classes (or labels=camvid12: AR-Seg's 12)"),
    "folder": Entry(
        "vssbench.datasets.folder.dataset:Folder", "your own video, described by a file: --dataset my_video.yaml"
    ),
    "frames": Entry("vssbench.datasets.frames:Frames", "any folder of frames or a video file, without labels"),
}
