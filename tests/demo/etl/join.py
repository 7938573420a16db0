"""Transform: readings joined with what is known of their characters, and grouped."""

from collections import Counter, defaultdict

from etl.readings import normalise


def join(readings, characters, blocks, scripts, day):
    """(script, block, field, words) of every reading."""
    for reading in readings:
        words = normalise(reading.codepoint, reading.field, day, reading.text)
        script = scripts.find(reading.codepoint)
        block = blocks.find(reading.codepoint)
        known = characters.get(reading.codepoint)
        if known is None or known.category.startswith("L"):
            yield script, block, reading.field, words


def group(joined):
    """Words per (script, block) and field, and how often each first letter occurs."""
    groups = defaultdict(lambda: defaultdict(list))
    letters = Counter()
    for script, block, field, words in joined:
        groups[script, block][field].extend(words)
        letters.update(word[0] for word in words)
    return groups, letters


def summarise(groups):
    """The figures of each group that go into the report."""
    for (script, block), fields in sorted(groups.items()):
        for field, words in sorted(fields.items()):
            word, times = Counter(words).most_common(1)[0]
            yield {"script": script, "block": block, "field": field, "words": len(words), "top": word, "times": times}
