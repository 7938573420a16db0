"""Transform: a reading as the sources write it, brought into one form."""

import unicodedata

_known = {}


def normalise(codepoint, field, day, text):
    """The words of a reading. The day is part of the key: corrections of the sources come in daily."""
    try:
        return _known[codepoint, field, day]
    except KeyError:
        pass
    plain = unicodedata.normalize("NFC", text.replace(",", " "))
    words = _known[codepoint, field, day] = tuple(plain.casefold().split())
    return words
