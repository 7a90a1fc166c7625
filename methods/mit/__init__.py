"""What mrcfa, cffm and tv3s share: MiT and MLP decoder on each frame, earlier frames, training on clips of four."""
