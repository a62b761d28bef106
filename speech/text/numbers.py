"""Numbers, sums of money, times of day, dates and telephone numbers in words, as an English speaker reads them.

num2words names the numbers; what a row of digits stands for is decided here, by how it is written.
"""

import re
from functools import lru_cache

_LONGEST = 15  # digits; longer rows are read digit by digit
_CURRENCIES = {"$": ("dollar", "cent"), "£": ("pound", "penny"), "€": ("euro", "cent"), "¥": ("yen", "sen")}
_PLURALS = {"penny": "pence", "yen": "yen", "sen": "sen", "half": "halves", "century": "centuries", "foot": "feet"}
_SCALES = {"k": "thousand", "m": "million", "mn": "million", "b": "billion", "bn": "billion"}
_UNITS = {
    "km/h": "kilometer per hour", "kph": "kilometer per hour", "mph": "mile per hour", "km": "kilometer", "cm": "centimeter",
    "mm": "millimeter", "kg": "kilogram", "mg": "milligram", "lbs": "pound", "lb": "pound", "oz": "ounce", "ft": "foot",
    "ghz": "gigahertz", "mhz": "megahertz", "khz": "kilohertz", "hz": "hertz", "gb": "gigabyte", "mb": "megabyte",
    "tb": "terabyte", "kb": "kilobyte", "hrs": "hour", "hr": "hour", "secs": "second", "sec": "second", "mins": "minute",
    "°c": "degree celsius", "°f": "degree fahrenheit", "°": "degree",
}  # fmt: skip
_MONTHS = "january february march april may june july august september october november december".split()
_PARTS = {2, 3, 4, 5, 6, 7, 8, 9, 10, 12, 16, 20, 32, 64, 100}  # denominators; 9/11 and 24/7 are no fractions

_NUMBER = r"\d{1,3}(?:,\d{3})+(?:\.\d+)?|\d+(?:\.\d+)?|\.\d+"
_NAMES_OF_UNITS = "|".join(re.escape(unit) for unit in sorted(_UNITS, key=len, reverse=True))
_CALLS = r"(?:s|ed|ing|led|ling)?"  # endings of call, dial, ...
_BETWEEN = "me|us|him|her|them|now|today|back|on|at|is|was|the|my|our|your|his|their|number"
_CUE = rf"(?:call|dial|ring|phone|number|text){_CALLS}:?(?: (?:{_BETWEEN}))*:? "
_HALF = r"(?:\s?(?P<{}>[ap])\.?\s?m\b\.?)"
# In the order in which they are tried at each place of the text.
_FORMS = (
    rf"(?P<sign>[$£€¥])\s?(?P<amount>{_NUMBER})(?:\s?(?P<scale>thousand|million|billion|trillion|[kmb]n?)\b)?",
    rf"\b(?P<cue>{_CUE})(?P<dialled>(?:\d{{3}} )?\d{{3}} \d{{4}})(?![\w-]|[.,]\d)",
    rf"\b(?P<urgent_cue>(?:call|dial|ring|phone){_CALLS} )(?P<urgent>911|112|999)(?![\w%/-]|[.,]\d)",
    rf"(?P<amount_before>{_NUMBER})\s?(?P<sign_after>[£€¥¢])",
    r"(?<![\w.:])(?P<hour>\d{1,2}):(?P<minute>[0-5]\d)(?::(?P<second>[0-5]\d))?(?![\d:])" + _HALF.format("half") + "?",
    r"(?<![\w.:])(?P<full_hour>1[0-2]|0?[1-9])" + _HALF.format("full_half"),
    r"\b(?P<date_year>\d{4})-(?P<date_month>0[1-9]|1[0-2])-(?P<date_day>0[1-9]|[12]\d|3[01])(?![\w-])",
    r"(?<![\w./-])(?P<slashed>\d{1,2}/\d{1,2}/(?:\d{4}|\d\d))(?![\w/])",
    r"(?<![\w.])(?P<telephone>"
    r"\+\d[\d ().-]{6,}\d|(?:1[-. ])?(?:\(\d{3}\) ?|\d{3}[-. ])\d{3}[-. ]\d{4}|1-8\d\d(?=-)|"
    r"\(0\d{2,4}\) ?\d{3,4}[ -]?\d{3,4}|0\d{2,4} \d{3,4} ?\d{3,4}|(?<![,-])[1-9]\d{9,10}(?<!000)(?!\s?%)|"
    r"(?!\d\d0-\d{3}0)\d{3}-\d{4}|\d{3}-\d\d-\d{4}|\d(?:-\d){2,})(?![\w]|-\d|[.,]\d)",
    r"(?P<ordinal>\b\d{1,3}(?:,\d{3})+|\b\d+)(?:st|nd|rd|th)\b",
    r"(?P<decade>(?:\b\d\d)?\d0)'?s\b",
    r"(?<![\w./])(?:(?P<whole>\d{1,3}) +)?(?P<over>\d{1,4})/(?P<under>\d{1,4})(?![\w/])",
    r"(?<![\w.])(?P<version>\d+(?:\.\d+){2,})(?![\w])",
    rf"(?P<minus>(?<![\w.])[-\u2212](?=[\d.]))?(?P<number>{_NUMBER})(?:\s?(?P<unit>%|{_NAMES_OF_UNITS})(?!\w))?",
)
_PATTERN = re.compile("|".join(f"(?:{form})" for form in _FORMS), re.IGNORECASE)
_RANGE = re.compile(r"\s?[-\u2013]\s?")


def spell_numbers(text):
    """The same text with everything that is written in digits written out.

    Knows cardinals ("1,234"), decimals, ordinals ("21st"), years (four digits from 1100 to 2099: "1984" is nineteen eighty
    four), decades ("1980s", "80s"), times ("10:30", "3:45pm"), dates ("2020-01-15"), fractions ("3/4", "2 1/2"; "24/7" is
    twenty four seven), telephone numbers (digit by digit: "555-0199", "(020) 7946 0958", ten or eleven digits in a row that are
    no round number, "555 0199" after such words as call or number, "911" after call or dial), versions
    ("2.0.1"), percentages, units ("5km"), ranges ("10-12"), and money ("$3.50", "£2 million", "50¢"). Digits beside letters
    ("mp3", "B2B") stand as words of their own; rows of more than 15 digits, or with a zero first, are read digit by digit.
    """
    spelt, at = [], 0
    for match in _PATTERN.finditer(text):
        between = text[at : match.start()]
        spelt += [" to" if spelt and _RANGE.fullmatch(between) else between, " ", _read(match), " "]
        at = match.end()
    return "".join([*spelt, text[at:]])


def cardinal(number):
    """Words of a whole number from 0 on, such as 342: "three hundred and forty two"."""
    return _named(number, "cardinal")


def ordinal(number):
    """Words of a place: 21 is "twenty first"."""
    return _named(number, "ordinal")


def year(number):
    """Words of a year: 1905 is "nineteen oh five", 2007 "two thousand and seven"."""
    return _named(number, "year")


@lru_cache(4096)
def _named(number, kind):
    from num2words import num2words

    return num2words(number, to=kind).replace("-", " ").replace(",", "")


def _read(match):
    part = {name: value for name, value in match.groupdict().items() if value is not None}
    reader = next(reader for key, reader in _READERS.items() if key in part)
    return reader(part)


def _money(part):
    sign, amount = part["sign"], part["amount"]
    unit, small = _CURRENCIES[sign]
    if "scale" in part:
        scale = part["scale"].lower()
        return f"{_number(amount, years=False)} {_SCALES.get(scale, scale)} {_plural(unit)}"
    whole, _, decimals = amount.replace(",", "").partition(".")
    if len(decimals) not in (0, 2) or len(whole) > _LONGEST:
        return f"{_number(amount, years=False)} {_plural(unit)}"
    parts = []
    if int(whole or 0) or not int(decimals or 0):
        parts.append(_counted(int(whole or 0), unit))
    if int(decimals or 0):
        parts.append(_counted(int(decimals), small))
    return " and ".join(parts)


def _money_before(part):
    if part["sign_after"] == "¢":
        return f"{_number(part['amount_before'], years=False)} {'cent' if part['amount_before'] == '1' else 'cents'}"
    return _money({"sign": part["sign_after"], "amount": part["amount_before"]})


def _time(part):
    hour, minute, half = int(part["hour"]), int(part["minute"]), part.get("half", "")
    tail = f" {half.lower()} m" if half else ""
    if "second" in part:
        tail = f" and {_counted(int(part['second']), 'second')}{tail}"
    if minute or "second" in part:
        return f"{cardinal(hour)} {'oh ' if 0 < minute < 10 else ''}{cardinal(minute)}{tail}"
    if half:
        return f"{cardinal(hour)}{tail}"
    return f"{cardinal(hour)} o'clock" if 1 <= hour <= 12 else f"{cardinal(hour)} hundred"


def _full_hour(part):
    return f"{cardinal(int(part['full_hour']))} {part['full_half'].lower()} m"


def _date(part):
    return f"{_MONTHS[int(part['date_month']) - 1]} {ordinal(int(part['date_day']))} {_number(part['date_year'])}"


def _slashed(part):
    one, two, last = part["slashed"].split("/")
    return " ".join([cardinal(int(one)), cardinal(int(two)), _number(last)])


def _telephone(part):
    return _digit_groups(part["telephone"])


def _dialled(part):
    return part["cue"] + _digit_groups(part["dialled"])


def _urgent(part):
    return part["urgent_cue"] + _digits(part["urgent"])


def _digit_groups(written):
    groups = re.findall(r"\d+", written)
    hundreds = {"800": "eight hundred", "900": "nine hundred"}
    return " ".join(hundreds.get(group) or _digits(group) for group in groups)


def _ordinal(part):
    digits = part["ordinal"].replace(",", "")
    return ordinal(int(digits)) if len(digits) <= _LONGEST else _digits(digits)


def _decade(part):
    number = int(part["decade"])
    *head, last = (year(number) if number >= 1100 else cardinal(number)).split()
    return " ".join([*head, _plural(last)])


def _fraction(part):
    whole, over, under = part.get("whole"), int(part["over"]), int(part["under"])
    if under not in _PARTS or not 0 < over < max(under, 10) or over == under:
        return " ".join(_number(one) for one in (whole, part["over"], part["under"]) if one)
    name = {2: "half", 4: "quarter"}.get(under) or ordinal(under)
    said = _counted(over, name)
    return f"{_number(whole)} and {'a ' + name if over == 1 else said}" if whole else said


def _version(part):
    numbers = part["version"].split(".")
    point = " dot " if len(numbers) == 4 else " point "
    return point.join(_number(one, years=False) for one in numbers)


def _plain(part):
    words = _number(part["number"], years="unit" not in part and "minus" not in part)
    unit = part.get("unit", "").lower()
    if unit == "%":
        words += " percent"
    elif unit:
        first, *rest = _UNITS[unit].split()
        words = " ".join([words, first if part["number"] == "1" or first.endswith("z") else _plural(first), *rest])
    return ("minus " if "minus" in part else "") + words


# What to read, by a group that its form alone has.
_READERS = {
    "sign": _money, "sign_after": _money_before, "hour": _time, "full_hour": _full_hour, "date_year": _date,
    "slashed": _slashed, "cue": _dialled, "urgent": _urgent, "telephone": _telephone,
    "ordinal": _ordinal, "decade": _decade, "over": _fraction, "version": _version, "number": _plain,
}  # fmt: skip


def _number(written, years=True):
    """A number as it is written, with commas and a point: a year where it can be one."""
    whole, _, decimals = written.partition(".")
    plain = whole.replace(",", "")
    if decimals or not plain:
        return f"{_number(plain or '0', years=False)} point {_digits(decimals)}"
    if len(plain) > _LONGEST or (len(plain) > 1 and plain[0] == "0"):
        return _digits(plain)
    if years and "," not in whole and len(plain) == 4 and 1100 <= int(plain) < 2100:
        return year(int(plain))
    return cardinal(int(plain))


def _digits(digits):
    return " ".join(cardinal(int(digit)) for digit in digits)


def _counted(number, unit):
    return f"{cardinal(number)} {unit if number == 1 else _plural(unit)}"


def _plural(word):
    if word in _PLURALS:
        return _PLURALS[word]
    return word[:-1] + "ies" if word.endswith("y") else word + ("es" if word.endswith("x") else "s")
