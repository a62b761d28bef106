"""Finds the measures: every file of this folder but this one and base.py."""

import pkgutil
from importlib import import_module

from metrics import measures

_NO_MEASURES = ("base", "registry")


def build_measures(networks):
    """The measures of one evaluation, in the order of their columns.

    Args:
        networks: metrics.networks.load.Networks.

    Returns:
        list of metrics.measures.base.Measure.
    """
    names = [found.name for found in pkgutil.iter_modules(measures.__path__) if found.name not in _NO_MEASURES]
    modules = [import_module(f"{measures.__name__}.{name}") for name in names]
    built = [module.build(networks) for module in sorted(modules, key=lambda module: (module.PLACE, module.__name__))]
    return [measure for measure in built if measure is not None]


def columns_of(built):
    """tuple of metrics.rows.Column of all measures."""
    return tuple(column for measure in built for column in measure.columns)
