"""Action units: whether labels and networks agree."""
