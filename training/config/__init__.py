"""Configs of runs: read, laid over their base and the defaults, and checked."""

from training.config.loading import checked_section, load_config, starts_of

__all__ = ["checked_section", "load_config", "starts_of"]
