"""Numbers, sums of money, times of day and years in words, as an English speaker reads them."""

import re

_ONES = (
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen eighteen "
    "nineteen"
).split()
_TENS = "twenty thirty forty fifty sixty seventy eighty ninety".split()
_SCALES = ((10**12, "trillion"), (10**9, "billion"), (10**6, "million"), (1000, "thousand"), (100, "hundred"))
_ORDINALS = {
    "one": "first", "two": "second", "three": "third", "five": "fifth", "eight": "eighth", "nine": "ninth", "twelve": "twelfth",
}  # fmt: skip
_CURRENCIES = {"$": ("dollar", "cent"), "£": ("pound", "penny"), "€": ("euro", "cent"), "¥": ("yen", "sen")}
_PLURALS = {"penny": "pence", "yen": "yen", "sen": "sen", "half": "halves", "century": "centuries"}
_LONGEST = 15  # digits; longer rows are read digit by digit

_NUMBER = r"\d{1,3}(?:,\d{3})+(?:\.\d+)?|\d+(?:\.\d+)?|\.\d+"
_PATTERN = re.compile(
    rf"(?P<money>(?P<sign>[$£€¥])\s?(?P<amount>{_NUMBER})(?:\s?(?P<scale>thousand|million|billion|trillion|[kmb]n?)\b)?)"
    r"|(?P<hour>\b\d{1,2}):(?P<minute>[0-5]\d)\b"
    r"|(?P<ordinal>\b\d{1,3}(?:,\d{3})+|\b\d+)(?P<nth>st|nd|rd|th)\b"
    r"|(?P<decade>(?:\b\d\d)?\d0)'?s\b"
    r"|\b(?P<over>\d{1,2})/(?P<under>[2-9]|1\d)\b(?!/)"
    rf"|(?P<minus>(?<![\w.])[-\u2212](?=[\d.]))?(?P<number>{_NUMBER})(?P<percent>\s?%)?",
    re.IGNORECASE,
)
_RANGE = re.compile(r"(?<=[\d%])\s?[-\u2013]\s?(?=[$£€¥]?\d)")


def spell_numbers(text):
    """The same text with everything that is written in digits written out.

    Knows cardinals ("1,234"), decimals, ordinals ("21st"), years (four digits from 1100 to 2099: "1984" is nineteen eighty
    four), decades ("1980s", "80s"), times ("10:30"), fractions ("3/4"), percentages, ranges ("10-12"), and money ("$3.50",
    "£2 million"). Digits beside letters ("mp3", "B2B") stand as words of their own; rows that begin with a zero or are longer
    than 15 digits are read digit by digit.
    """
    return _PATTERN.sub(lambda match: f" {_read(match)} ", _RANGE.sub(" to ", text))


def cardinal(number):
    """Words of a whole number from 0 to 10**15 - 1, such as 342: "three hundred and forty two"."""
    if number < 20:
        return _ONES[number]
    if number < 100:
        tens, ones = divmod(number, 10)
        return _TENS[tens - 2] + (f" {_ONES[ones]}" if ones else "")
    for size, name in _SCALES:
        if number >= size:
            many, rest = divmod(number, size)
            joint = " and " if 0 < rest < 100 else " "
            return f"{cardinal(many)} {name}" + (joint + cardinal(rest) if rest else "")
    raise ValueError(f"{number} is no whole number from 0 on")


def ordinal(number):
    """Words of a place: 21 is "twenty first"."""
    *head, last = cardinal(number).split()
    if last not in _ORDINALS:
        last = (last[:-1] + "ie" if last.endswith("y") else last) + "th"
    return " ".join([*head, _ORDINALS.get(last, last)])


def year(number):
    """Words of a year from 1100 to 2099: 1905 is "nineteen oh five", 2007 "two thousand and seven"."""
    century, rest = divmod(number, 100)
    if 2000 <= number < 2010:
        return cardinal(number)
    if not rest:
        return f"{cardinal(century)} hundred"
    return f"{cardinal(century)} {'oh ' if rest < 10 else ''}{cardinal(rest)}"


def _read(match):
    part = match.groupdict()
    if part["money"]:
        return _money(part["sign"], part["amount"], part["scale"])
    if part["hour"]:
        return _time(int(part["hour"]), int(part["minute"]))
    if part["ordinal"]:
        digits = part["ordinal"].replace(",", "")
        return ordinal(int(digits)) if len(digits) <= _LONGEST else _digits(digits)
    if part["decade"]:
        return _decade(int(part["decade"]))
    if part["over"]:
        return _fraction(int(part["over"]), int(part["under"]))
    words = _number(part["number"], years=not (part["percent"] or part["minus"]))
    return ("minus " if part["minus"] else "") + words + (" percent" if part["percent"] else "")


def _number(written, years=True):
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
    return " ".join(_ONES[int(digit)] for digit in digits)


def _money(sign, amount, scale):
    unit, small = _CURRENCIES[sign]
    if scale:
        names = {"k": "thousand", "m": "million", "mn": "million", "b": "billion", "bn": "billion"}
        name = names.get(scale.lower(), scale.lower())
        return f"{_number(amount, years=False)} {name} {_plural(unit)}"
    whole, _, decimals = amount.replace(",", "").partition(".")
    if len(decimals) not in (0, 2) or len(whole) > _LONGEST:
        return f"{_number(amount, years=False)} {_plural(unit)}"
    parts = []
    if int(whole or 0) or not int(decimals or 0):
        parts.append(f"{cardinal(int(whole or 0))} {unit if int(whole or 0) == 1 else _plural(unit)}")
    if int(decimals or 0):
        parts.append(f"{cardinal(int(decimals))} {small if int(decimals) == 1 else _plural(small)}")
    return " and ".join(parts)


def _time(hour, minute):
    if minute:
        return f"{cardinal(hour)} {'oh ' if minute < 10 else ''}{cardinal(minute)}"
    return f"{cardinal(hour)} o'clock" if 1 <= hour <= 12 else f"{cardinal(hour)} hundred"


def _decade(number):
    *head, last = (year(number) if number >= 1100 else cardinal(number)).split()
    return " ".join([*head, _plural(last)])


def _fraction(over, under):
    name = {2: "half", 4: "quarter"}.get(under) or ordinal(under)
    return f"{cardinal(over)} {name if over == 1 else _plural(name)}"


def _plural(word):
    if word in _PLURALS:
        return _PLURALS[word]
    return word[:-1] + "ies" if word.endswith("y") else word + ("es" if word.endswith("x") else "s")
