"""Hold: a method on key frames, its labels repeated on the others."""
