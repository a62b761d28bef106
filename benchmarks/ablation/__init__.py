"""The ablation on GRID: training, measuring, table."""
