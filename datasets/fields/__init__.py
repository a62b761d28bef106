"""Every field that a batch may hold. A new one is a function in a file of this folder, which is imported here."""

from datasets.fields import (  # noqa: F401 - they enter their fields
    action_units,
    features,
    labels,
    lips,
    lower_face,
    modules,
    motion,
    pictures,
    sounds,
    speech,
    sync_lips,
)
from datasets.fields.registry import FIELDS, Field, check_fields, check_options, register
from datasets.fields.shipped import Shipped
from datasets.fields.window import REFERENCE_GAP, Place, Window

__all__ = ["FIELDS", "REFERENCE_GAP", "Field", "Place", "Shipped", "Window", "check_fields", "check_options", "register"]
