"""Any semantic or universal segmentation model of transformers, frame by frame."""
