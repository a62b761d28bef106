"""Addresses of the web, of mail and of files in words, as an English speaker reads them."""

import re

_ENDINGS = (
    "com|org|net|edu|gov|mil|int|info|biz|io|ai|tv|app|dev|uk|ie|de|fr|eu|nl|es|pl|se|ch|at|jp|cn|kr|ru|br|au|nz|ca|"
    "js|py|txt|pdf|exe|html|htm|php|csv|jpg|png|zip"
)
_ADDRESS = re.compile(
    rf"(?<![\w.@])(?:(?:https?|ftp)://\S+|www\.\S+|[\w.+-]+@[\w-]+(?:\.[\w-]+)+|(?:[\w-]+\.)+(?:{_ENDINGS})\b(?![.'-]?\w)(?:/\S*)?)",
    re.IGNORECASE,
)
_SCHEME = re.compile(r"^(?:https?|ftp)://", re.IGNORECASE)
_NAMES = {".": "dot", "/": "slash", "-": "dash", "_": "underscore", "@": "at", ":": "colon", "+": "plus", "=": "equals",
          "&": "and", "?": "question mark", "#": "hash", "%": "percent", "~": "tilde"}  # fmt: skip
_SPELT = frozenset("www io ai tv uk ie de fr eu nl es pl se ch jp cn kr ru br au nz ca js py txt pdf htm php csv jpg".split())


def spell_addresses(text):
    """The same text with addresses in words: "www.example.org/news" is "w w w dot example dot org slash news".

    Known by "http://", "www.", "@", or by an ending such as .com or .txt. The scheme is not said. Digits stay digits.
    """
    return _ADDRESS.sub(lambda match: f" {_read(match.group())} ", text)


def _read(address):
    address = _SCHEME.sub("", address)
    kept = address.rstrip(".,;:!?)]}\"'/")
    words = [_NAMES.get(part, part) for part in re.split(r"([^\w]|_)", kept)]
    return " ".join(" ".join(word) if word.lower() in _SPELT else word for word in words) + address[len(kept) :].strip("/")
