"""One run: the request (spec), dataset and methods (session), one clip (clip), many (pool, ray_pool), all (run)."""
