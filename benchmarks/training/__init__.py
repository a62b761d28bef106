"""What a training step and a training item cost."""
