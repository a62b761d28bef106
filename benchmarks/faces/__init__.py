"""Detection, lip landmarks and texture modules."""
