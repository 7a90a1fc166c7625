"""Any folder of labelled or unlabelled video, described by a file of ten lines: `--dataset my_video.yaml`."""
