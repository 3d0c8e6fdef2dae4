"""The exceptions a command raises for what a user can mend."""


class CommandError(Exception):
    """Shown as one line on stderr; exit status 1."""


class UsageError(CommandError):
    """Words of the command line that do not go together or name nothing; exit status 2."""
