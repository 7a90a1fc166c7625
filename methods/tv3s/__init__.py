"""TV3S: temporal video state space sharing (Hesham et al., CVPR 2025)."""
