"""The old name of `pipeline.drivers.load_driver`, for metrics/generation.py until it takes the new one."""

from pipeline.drivers import load_driver as MouthGenerator  # noqa: N812

__all__ = ["MouthGenerator"]
