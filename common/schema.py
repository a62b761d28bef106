"""What each value of a config may be: default, range and meaning in one place, and a check that reads them.

A kind has `default`, `meaning`, `permitted` (what may be given, in words) and `check(value, where)`, which returns the value in
its type or raises InputError. A kind whose default is None permits null. `where` is the key by its full name, "optim.lr".
"""

import copy
import math
import re
import unicodedata

from common.errors import InputError
from common.suggest import refuse_unknown

REQUIRED = ...  # the default of a key that has to be given
_SHOWN = 60  # characters of a value that a message repeats
_NAME = re.compile(r"[^\W\d]\w*")


class Kind:
    """Base of all kinds.

    Args:
        default: the value where none is given; None permits null.
        meaning: one line for the documentation.
    """

    words = "a value"

    def __init__(self, default, meaning=""):
        self.default, self.meaning = default, meaning

    @property
    def permitted(self):
        """What may be given, in words."""
        return self.words + (", or null" if self.default is None else "")

    def check(self, value, where):
        """The value in its type.

        Raises:
            InputError: it is not permitted; the message names the key and what is.
        """
        return None if value is None and self.default is None else self.read(value, where)

    def refuse(self, value, where):
        """The error to raise for a value."""
        return InputError(f"{where}: {shown(value)} must be {self.permitted}")


class Number(Kind):
    """A finite number in a range; text such as 1e-4, which YAML does not read as a number, counts as one.

    Args:
        low, high: the ends of the range, both permitted.
        above, below: True takes the lower, or the upper, end out of the range.
        whole: an int is wanted; a number without a fraction is read as one.
        others: words that may be given in place of a number.
    """

    def __init__(self, default, low, high, meaning="", *, above=False, below=False, whole=False, others=()):
        super().__init__(default, meaning)
        self.low, self.high, self.above, self.below, self.whole, self.others = low, high, above, below, whole, others
        least = f"above {_plain(low)} and up to" if above else f"from {_plain(low)} to"
        numbers = f"{'a whole number' if whole else 'a number'} {least}{' below' if below else ''} {_plain(high)}"
        self.words = ", or ".join((numbers, *others))

    def read(self, value, where):
        if value in self.others and isinstance(value, str):
            return value
        try:
            number = value if isinstance(value, int) and not isinstance(value, bool) else _float(value)
        except (TypeError, ValueError) as error:
            raise self.refuse(value, where) from error
        inside = (self.low < number if self.above else self.low <= number) and (
            number < self.high if self.below else number <= self.high
        )
        if not inside or (self.whole and number != int(number)):  # a NaN is outside of any range
            raise self.refuse(value, where)
        return int(number) if self.whole else float(number)


class Choice(Kind):
    """One of some words. YAML reads on and off as truth values; where they are among the words, they are read back."""

    def __init__(self, default, names, meaning=""):
        super().__init__(default, meaning)
        self.names = tuple(names)
        self.words = " or ".join(filter(None, (", ".join(self.names[:-1]), self.names[-1])))

    def read(self, value, where):
        value = _switch(value)
        if not isinstance(value, str) or value not in self.names:
            raise self.refuse(value, where)
        return value


class Flag(Kind):
    """True or false."""

    words = "true or false"

    def read(self, value, where):
        if not isinstance(value, bool):
            raise self.refuse(value, where)
        return value


class Text(Kind):
    """Text without control characters, at least one character.

    Args:
        pattern: regular expression that the whole text must match, or None.
        words: what is asked for, in words.
    """

    def __init__(self, default, meaning="", *, pattern=None, words="text"):
        super().__init__(default, meaning)
        self.pattern, self.words = pattern, words

    def read(self, value, where):
        value = "off" if value is False and self.default == "off" else value  # YAML reads off as false
        value = str(value) if _is_finite(value) else value  # a folder may be called 7
        if not isinstance(value, str) or not is_clean(value) or not re.fullmatch(self.pattern or ".+", value):
            raise self.refuse(value, where)
        return value


class ListOf(Kind):
    """A list of values of one kind.

    Args:
        item: Kind of the values.
        length: how many there must be, or None.
        least: how many there must be at least.
        rising: each value must be above the one before.
    """

    def __init__(self, item, default, meaning="", *, length=None, least=0, rising=False):
        super().__init__(default, meaning)
        self.item, self.length, self.least, self.rising = item, length, least, rising
        count = f" of {length}" if length else f" of {least} or more" if least else ""
        self.words = f"a list{count}{', rising' if rising else ''}, each {item.permitted}"

    def read(self, value, where):
        if not isinstance(value, list) or (self.length and len(value) != self.length) or len(value) < self.least:
            raise self.refuse(value, where)
        values = [self.item.check(one, f"{where}[{place}]") for place, one in enumerate(value)]
        if self.rising and any(one >= other for one, other in zip(values, values[1:], strict=False)):
            raise self.refuse(value, where)
        return values


class Either(Kind):
    """Text, or a list: whichever is given.

    Args:
        text: Text; items: ListOf.
    """

    def __init__(self, text, items, default, meaning=""):
        super().__init__(default, meaning)
        self.text, self.items = text, items
        self.words = f"{text.words}, or {items.words}"

    def read(self, value, where):
        if isinstance(value, list):
            return self.items.read(value, where)
        if not isinstance(value, str):
            raise self.refuse(value, where)
        return self.text.read(value, where)


class Section(Kind):
    """Keys with a kind each.

    Args:
        keys: dict of key -> Kind.
        rule: called with (checked values, where) when each value by itself is right; it may add to them.
        partial: keys that are not given stay away, in place of taking their default.
    """

    def __init__(self, keys, meaning="", *, rule=None, partial=False):
        self.keys, self.rule, self.partial = keys, rule, partial
        super().__init__({} if partial else {key: kind.default for key, kind in keys.items()}, meaning)
        self.words = f"a section with the keys {', '.join(keys)}"

    def read(self, value, where, below=None):
        """The section; `below` is a dict of values that are taken before the defaults."""
        if not isinstance(value, dict):
            raise self.refuse(value, where)
        inside = f"{where}." if where else ""
        refuse_unknown([f"{inside}{key}" for key in value], [f"{inside}{key}" for key in self.keys], "key")
        checked = {}
        for key, kind in self.keys.items():
            if key in value:
                checked[key] = kind.check(value[key], f"{inside}{key}")
            elif kind.default is REQUIRED:
                raise InputError(f"{inside}{key}: is missing; it must be {kind.permitted}")
            elif not self.partial:
                checked[key] = copy.deepcopy((below or {}).get(key, kind.default))
        if self.rule:
            self.rule(checked, where)
        return checked

    def table(self, above=""):
        """Rows (key, default, permitted, meaning) of all keys, those of sections inside with them."""
        for key, kind in self.keys.items():
            if isinstance(kind, Section):
                yield from kind.table(f"{above}{key}.")
            else:
                yield f"{above}{key}", kind.default, kind.permitted, kind.meaning


class Named(Kind):
    """A section whose keys are names of the user's choice.

    Args:
        item: Kind of what stands under a name.
        what: what a name stands for, for messages.
        reserved: names that may not be chosen.
    """

    def __init__(self, item, what, meaning="", *, reserved=()):
        super().__init__({}, meaning)
        self.item, self.what, self.reserved = item, what, tuple(reserved)
        self.words = f"a section; under the name of each {what} {item.permitted}"

    def read(self, value, where):
        if not isinstance(value, dict):
            raise self.refuse(value, where)
        for name in value:
            if not _NAME.fullmatch(str(name)):
                raise InputError(f"{where}: {shown(name)}: is no name of a {self.what}; use letters, digits and _")
            if name in self.reserved:
                raise InputError(f"{where}.{name}: the log uses this name itself; choose another one for the {self.what}")
        return {name: self.item.check(one, f"{where}.{name}") for name, one in value.items()}


class Free(Kind):
    """A section that is checked by whoever builds from it; here it must be a section, and its numbers finite."""

    def __init__(self, default, example, meaning=""):
        super().__init__(default, meaning)
        self.words = f"a section, such as {example}"

    def read(self, value, where):
        if not isinstance(value, dict):
            raise self.refuse(value, where)
        _require_finite(value, where)
        return copy.deepcopy(value)


def is_clean(text):
    """True for text that can be written to any file and shown in one line: no control characters, no half characters."""
    return not any(unicodedata.category(letter) in ("Cc", "Cs", "Zl", "Zp") for letter in text)


def shown(value):
    """A value for a message: one line, cut where it is long."""
    try:
        text = repr(value)
    except ValueError:  # a whole number of more digits than Python writes
        return "a number of thousands of digits"
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}..."


def _require_finite(value, where):
    """InputError for a number inside a section or list that is infinite, NaN, or beyond 64 bits."""
    if isinstance(value, dict | list):
        for key, one in value.items() if isinstance(value, dict) else enumerate(value):
            _require_finite(one, f"{where}.{key}" if isinstance(value, dict) else f"{where}[{key}]")
    elif type(value) in (int, float) and not _is_finite(value):
        raise InputError(f"{where}: {shown(value)} must be a finite number, below 2 to the 63 where it is whole")


def _is_finite(value):
    return (type(value) is int and abs(value) < 2**63) or (type(value) is float and math.isfinite(value))


def _float(value):
    if isinstance(value, bool) or not isinstance(value, float | str):
        raise TypeError("not a number")
    number = float(value)
    if not math.isfinite(number):
        raise ValueError("not finite")
    return number


def _switch(value):
    return {True: "on", False: "off"}[value] if isinstance(value, bool) else value


def _plain(number):
    return str(number) if isinstance(number, int) else f"{number:g}"
