"""The lower face drawn with the person's own pixels: own frames, warp, light, and an inner mouth that none shows."""
