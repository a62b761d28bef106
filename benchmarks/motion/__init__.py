"""Motion (PC-AVS with CRA and STAC): whether sound finds its video, and whether drawn heads and mouths follow."""
