"""The datasets. Label shifts are defined in labels/*.yaml and applied once, here, by the dataset."""

from vssbench.registry import Entry

_SHIPPED = "vssbench.datasets.folder.shipped"
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
    "kitti_step": Entry(f"{_SHIPPED}:kitti_step", "KITTI-STEP, Cityscapes' 19 classes, every frame labelled"),
    "vipseg": Entry(f"{_SHIPPED}:vipseg", "VIPSeg, VSPW's 124 classes from panoptic masks"),
    "cholecseg8k": Entry(f"{_SHIPPED}:cholecseg8k", "CholecSeg8k, surgery, 13 classes, every frame labelled"),
    "uavid": Entry(f"{_SHIPPED}:uavid", "UAVid, from the air, 8 classes in colour masks"),
    "davis": Entry(f"{_SHIPPED}:davis", "DAVIS 480p (2016 or 2017), foreground and background"),
    "strided": Entry("vssbench.datasets.strided:Strided", "any dataset at a lower frame rate: strided(of=camvid,by=2)"),
    "frames": Entry("vssbench.datasets.frames:Frames", "any folder of frames or a video file, without labels"),
}
