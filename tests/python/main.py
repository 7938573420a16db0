"""Run as a script, a module, a zip file, by a shebang, in a virtual environment."""
from truth import finish, mark


def hold(n):
    return mark(bytes(n))


hold(5000)
hold(50)
finish()
