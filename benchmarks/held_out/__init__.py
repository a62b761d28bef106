"""What a pixel generator draws for people whom it knows and does not know."""
