"""The one exception a command raises for what a user can mend."""


class CommandError(Exception):
    """Shown as one line on stderr; exit status 1."""
