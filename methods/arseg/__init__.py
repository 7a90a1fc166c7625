"""AR-Seg: altering resolutions for compressed videos (Hu et al., CVPR 2023), and its networks on their own."""
