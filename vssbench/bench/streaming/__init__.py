"""What a camera would see: methods that take the frames they have time for, at a frame rate."""
