"""The one place where the version of this project is written."""

__version__ = "0.1.0"
