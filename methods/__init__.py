"""The methods, one folder each. This table is all that `vssbench list` reads; nothing is imported before it is used."""

from vssbench.registry import Entry

_FASTER = "dtype=bf16|fp16, compile=true"

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
    "ema": Entry(
        "vssbench.methods.ema.adapter:Ema", "of=METHOD on every frame, a moving average of its class scores over time"
    ),
    "replay": Entry("vssbench.methods.replay.adapter:Replay", "label PNGs on disk: predictions=DIR/<clip>/<frame>.png"),
    "mrcfa": Entry(
        "vssbench.methods.mrcfa.adapter:Mrcfa",
        "each frame against three earlier ones through cross-frame affinities",
        paper="Sun et al., Mining Relations among Cross-Frame Affinities for Video Semantic Segmentation, ECCV 2022",
        licence="MIT file, README says academic use only",
        weights="packaged for synthetic (tiny); else --checkpoint mrcfa=FILE (the official .pth)",
        faster=_FASTER,
        recipe="vssbench.methods.mrcfa.recipe:MrcfaRecipe",
    ),
    "cffm": Entry(
        "vssbench.methods.cffm.adapter:Cffm",
        "each frame's windows against three earlier frames, the further back the coarser",
        paper="Sun et al., Coarse-to-Fine Feature Mining for Video Semantic Segmentation, CVPR 2022",
        licence="NVIDIA Source Code License, README says academic use only",
        weights="packaged for synthetic (tiny); else --checkpoint cffm=FILE (the official .pth)",
        faster=_FASTER,
        recipe="vssbench.methods.cffm.recipe:CffmRecipe",
    ),
    "tv3s": Entry(
        "vssbench.methods.tv3s.adapter:Tv3s",
        "a state-space memory along windows, over four frames or (memory=stream) the whole video",
        paper="Hesham et al., Exploiting Temporal State Space Sharing for Video Semantic Segmentation, CVPR 2025",
        licence="CC BY-NC-SA 4.0",
        weights="packaged for synthetic (tiny); else --checkpoint tv3s=FILE (the official .pth)",
        faster=_FASTER,
        recipe="vssbench.methods.tv3s.recipe:Tv3sRecipe",
    ),
    "mask2former": Entry(
        "vssbench.methods.mask2former.adapter:Mask2Former",
        "each frame by itself, masks and classes by queries; the segmentor of mpvss",
        paper="Cheng et al., Masked-attention Mask Transformer for Universal Image Segmentation, CVPR 2022",
        licence="CC BY-NC 4.0 (Mask2Former and MPVSS)",
        weights="packaged for synthetic (tiny); else --checkpoint mask2former=FILE (official .pth or .pkl, or a "
        "transformers folder)",
        faster=f"{_FASTER}, decode=fast",
        recipe="vssbench.methods.mask2former.recipe:Mask2FormerRecipe",
    ),
    "mpvss": Entry(
        "vssbench.methods.mpvss.adapter:Mpvss",
        "mask2former on key frames, its masks carried to the others by one flow per query",
        paper="Weng et al., Mask Propagation for Efficient Video Semantic Segmentation, NeurIPS 2023",
        licence="CC BY-NC 4.0",
        weights="packaged for synthetic (tiny); else --checkpoint mpvss=FILE (the official .pth; a "
        "transformers folder fills the segmentor only)",
        faster=f"{_FASTER}, decode=fast",
        recipe="vssbench.methods.mpvss.recipe:MpvssRecipe",
    ),
    "videomt": Entry(
        "vssbench.methods.videomt.adapter:Videomt",
        "a plain vision transformer; each frame's queries are made of those of the frame before",
        paper="Norouzi et al., VidEoMT: Your ViT is Secretly Also a Video Segmentation Model, CVPR 2026",
        licence="MIT file; parts carry NVIDIA's non-commercial header",
        weights="packaged for synthetic (tiny); else --checkpoint videomt=FILE (the official .pth, or a transformers "
        "folder)",
        faster=_FASTER,
        recipe="vssbench.methods.videomt.recipe:VideomtRecipe",
    ),
    "segformer": Entry(
        "vssbench.methods.segformer.adapter:SegFormer",
        "each frame by itself, a transformer encoder and a light decoder",
        paper="Xie et al., SegFormer: Simple and Efficient Design for Semantic Segmentation, NeurIPS 2021",
        licence="NVIDIA Source Code License, non-commercial",
        weights="--checkpoint segformer=FOLDER (saved by transformers) or FILE (our .safetensors)",
        faster=_FASTER,
    ),
    "huggingface": Entry(
        "vssbench.methods.huggingface.adapter:HuggingFace",
        "each frame by itself, any segmentation model of transformers: model=FOLDER or a hub id",
        licence="the model's own",
        weights="in the model's folder",
        faster=_FASTER,
    ),
    "mmseg": Entry(
        "vssbench.methods.mmseg.adapter:MMSeg",
        "each frame by itself, any network of mmsegmentation 1.x: config=NAME or FILE (extra mmseg)",
        licence="the model's own",
        weights="--checkpoint mmseg=FILE (.pth)",
        faster=_FASTER,
    ),
    "onnx": Entry(
        "vssbench.methods.onnx.adapter:Onnx",
        "graphs in ONNX Runtime: model=DIR of export-model, or any per-frame network, model=FILE.onnx (extra onnx)",
        licence="the model's own",
        weights="in the graphs",
    ),
    "tdnet": Entry(
        "vssbench.methods.tdnet.adapter:Tdnet",
        "sub-networks take turns, one per frame, and attend to what the others left from earlier frames",
        paper="Hu et al., Temporally Distributed Networks for Fast Video Semantic Segmentation, CVPR 2020",
        licence="MIT",
        weights="packaged for synthetic (tiny); else --checkpoint tdnet=FILE (the official .pkl)",
        faster=_FASTER,
        recipe="vssbench.methods.tdnet.recipe:TdnetRecipe",
    ),
    "accel": Entry(
        "vssbench.methods.accel.adapter:Accel",
        "reference=METHOD on key frames, its scores warped from frame to frame and corrected by update=METHOD",
        paper="Jain et al., Accel: A Corrective Fusion Network for Efficient Semantic Segmentation on Video, CVPR 2019",
        licence="MIT",
        weights="of both methods; the correction: packaged for reference=mask2former,update=espnet on synthetic, else "
        "--checkpoint accel=FILE",
        recipe="vssbench.methods.accel.recipe:AccelRecipe",
    ),
    "arseg": Entry(
        "vssbench.methods.arseg.adapter:ArSeg",
        "key frames at full size, the others small and fused with them along the video's own motion vectors",
        paper="Hu et al., Efficient Semantic Segmentation by Altering Resolutions for Compressed Videos, CVPR 2023",
        licence="MIT",
        needs="motion",
        weights="packaged for synthetic (tiny); else --checkpoint arseg=hr:FILE,lr:FILE (the official .pth files)",
        faster=_FASTER,
        recipe="vssbench.methods.arseg.training.recipe:ArSegRecipe",
    ),
    "psp18": Entry(
        "vssbench.methods.arseg.single:Psp18",
        "each frame by itself, PSPNet on ResNet-18: arseg's HR branch, or at scale=0.5 its baseline",
        paper="Zhao et al., Pyramid Scene Parsing Network, CVPR 2017",
        licence="MIT (AR-Seg)",
        weights="packaged for synthetic (tiny); else --checkpoint psp18=FILE (AR-Seg's official .pth)",
        faster=_FASTER,
        recipe="vssbench.methods.arseg.training.recipe_single:AloneRecipe",
    ),
    "bise18": Entry(
        "vssbench.methods.arseg.single:Bise18",
        "each frame by itself, BiSeNet on ResNet-18: arseg's HR branch, or at scale=0.5 its baseline",
        paper="Yu et al., BiSeNet: Bilateral Segmentation Network for Real-time Semantic Segmentation, ECCV 2018",
        licence="MIT (AR-Seg)",
        weights="--checkpoint bise18=FILE (AR-Seg's official .pth)",
        faster=_FASTER,
        recipe="vssbench.methods.arseg.training.recipe_single:AloneRecipe",
    ),
    "espnet": Entry(
        "vssbench.methods.espnet.adapter:ESPNet",
        "each frame by itself, a small network with a pyramid of dilations",
        paper="Mehta et al., ESPNet: Efficient Spatial Pyramid of Dilated Convolutions for Semantic Segmentation, "
        "ECCV 2018",
        licence="MIT",
        weights="packaged for synthetic (tiny); else --checkpoint espnet=FILE (the official .pth, CamVid's or "
        "Cityscapes')",
        faster=_FASTER,
        recipe="vssbench.methods.espnet.recipe:ESPNetRecipe",
    ),
    "espnetv2": Entry(
        "vssbench.methods.espnet.adapter:ESPNetV2",
        "each frame by itself, a smaller network with depthwise dilations",
        paper="Mehta et al., ESPNetv2: A Light-weight, Power Efficient, and General Purpose Convolutional Neural "
        "Network, CVPR 2019",
        licence="MIT (EdgeNets, since 2021-07-20)",
        weights="--checkpoint espnetv2=FILE (EdgeNets' official .pth)",
        faster=_FASTER,
    ),
}
