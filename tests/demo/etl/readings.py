"""Transform: a reading as the sources write it, brought into one form."""

import unicodedata

_known = {}


def normalise(codepoint, field, day, text):
    """The words of a reading. The day is part of the key: corrections of the sources come in daily."""
    key = codepoint, field, day
    words = _known.get(key)
    if words is None:
        plain = unicodedata.normalize("NFC", text.replace(",", " "))
        words = _known[key] = plain.casefold().split()
    return words
