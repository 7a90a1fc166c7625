"""Methods behind a camera: at a given frame rate, they take only the frames that they have time for."""
