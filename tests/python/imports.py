"""A module's own code while it is imported, and a package run as a program."""
import importlib
import os
import sys
import tempfile

from truth import finish, mark

SOURCES = {
    "first.py": "from truth import mark\nimport package.second\n\n\nclass Body:\n    held = mark(bytes(5000))\n",
    "package/__init__.py": "from truth import mark\nheld = mark(bytes(5000))\n",
    "package/second.py": "\n\nfrom truth import mark\nfrom . import held\n\nmore = mark(bytes(5000))\n",
    "package/caf\u00e9.py": "from truth import mark\n\n\ndef f\u00fcr\u4e16\u754c\U0001f40d_x(n):\n    return mark(bytes(n))\n".replace(
        "\U0001f40d", "\U00010400"),
}

with tempfile.TemporaryDirectory() as directory:
    for name, source in SOURCES.items():
        path = os.path.join(directory, name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "w", encoding="utf-8") as file:
            file.write(source)
    sys.path.insert(0, directory)
    importlib.import_module("first")
    module = importlib.import_module("package.caf\u00e9")
    getattr(module, "f\u00fcr\u4e16\u754c\U00010400_x")(5000)
    mark(bytes(5000))
finish()
