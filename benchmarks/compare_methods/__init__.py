"""All methods under one protocol: training, driving, measuring, tables."""
