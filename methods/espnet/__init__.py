"""ESPNet and ESPNetv2 (Mehta et al., ECCV 2018, CVPR 2019): small networks that see each frame on its own."""
