"""One run: what was asked (spec), dataset and methods (session), one clip (clip), many (pool, ray_pool), all (run)."""
