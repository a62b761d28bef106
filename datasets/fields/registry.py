"""The registry of fields: what a batch may hold, each field defined once, beside the code that makes it.

A field is made in two places. In the loader's process a function of a `Window` gives what is *shipped*: small arrays (uint8
pictures, uint8 labels, one reference face in place of T equal ones). On the device `complete` derives from what was shipped the
field as networks and losses see it. B windows, T frames each, S the side of the face crop.
"""

from collections.abc import Callable
from dataclasses import dataclass, field

from common.errors import InputError
from common.suggest import refuse_unknown


@dataclass(frozen=True)
class Field:
    """One field of a batch.

    Attributes:
        shape: on the device, without the leading B; dtype, range, meaning: likewise.
        ship: function of a datasets.fields.window.Window -> numpy array, which is shipped under the field's name; or dict of
            name -> array, where several fields share what is shipped.
        complete: function of a datasets.fields.shipped.Shipped -> (B, ...) tensor of `dtype`; None: what was shipped under the
            field's name, converted to `dtype`.
        options: dict of option -> its default.
        check: function of the options that raises InputError where a value is out of range; None checks nothing.
        clips: what a clip must have for this field: "phones", "words", "action_units", or None.
        voices: whether the field follows a changed voice (`Window.voice`); others are refused beside `data.augment.voice`.
        sound: whether it is sound that `data.augment` makes louder, noisy or silent.
        elsewhere: whether it looks at the clip outside the window, so that the clip must have room for that; or a function of
            the options that says so.
        arrays: names of arrays that a clip must hold for it, each a tuple of those of which one does; or a function of the
            options that gives them. A corpus may hold clips without mel and waveform.
    """

    shape: str
    dtype: str
    range: str
    meaning: str
    ship: Callable
    complete: Callable | None = None
    options: dict = field(default_factory=dict)
    check: Callable | None = None
    clips: str | None = None
    voices: bool = False
    sound: bool = False
    elsewhere: bool | Callable = False
    arrays: tuple | Callable = ()

    def looks_elsewhere(self, options):
        """Whether the field looks outside the window with these options of its own."""
        return self.elsewhere(options) if callable(self.elsewhere) else self.elsewhere

    def reads(self, options):
        """Tuple of tuples of names: of each the clip must hold one array."""
        return self.arrays(options) if callable(self.arrays) else self.arrays


FIELDS = {}


def register(name, shape, dtype, range, meaning, **more):  # noqa: A002 - the attribute's name
    """Decorator of a field's `ship` function: enters it into FIELDS; arguments as the attributes of `Field`."""

    def enter(ship):
        if name in FIELDS:
            raise ValueError(f"field {name} is registered twice")
        FIELDS[name] = Field(shape, dtype, range, meaning, ship, **more)
        return ship

    return enter


def check_fields(names):
    """Return `names` as a tuple; InputError with the nearest known name for an unknown one."""
    refuse_unknown(names, FIELDS, "field")
    return tuple(names)


def check_options(given):
    """Options of all fields that have any: their defaults with `given` over them.

    Args:
        given: dict of field -> dict of option -> value, or None.

    Returns:
        dict of field -> dict of option -> value.

    Raises:
        InputError: an unknown field or option, or a value out of range.
    """
    refuse_unknown(given or {}, FIELDS, "field")
    options = {name: dict(entry.options) for name, entry in FIELDS.items() if entry.options}
    for name, values in (given or {}).items():
        refuse_unknown(values, FIELDS[name].options, f"option of field {name}")
        options.setdefault(name, {}).update(values)
        if FIELDS[name].check is not None:
            try:
                FIELDS[name].check(options[name])
            except InputError as error:
                raise InputError(f"field {name}: {error}") from error
    return options
