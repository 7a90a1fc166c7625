"""The plots: Pareto plots, sweeps, mIoU over the distance to the key frame, learning curves."""
