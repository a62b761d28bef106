"""Action units of the prepared clips: whose labels they are, and how they come to lie beside the clips."""
