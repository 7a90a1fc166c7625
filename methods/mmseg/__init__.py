"""Any mmsegmentation 1.x config and checkpoint, frame by frame."""
