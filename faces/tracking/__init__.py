"""Following a face: detection frame by frame, shots, light, covered mouths, smoothing."""
