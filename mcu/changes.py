"""One counter for everything the host is told about: the cheapest way to know that nothing happened."""

_MASK = 0x3FFFFFFF


class Changes:
    """Shared by monitors, relays and guards; `count` differs after every note."""

    def __init__(self):
        self.count = 0

    def note(self):
        """Something reportable changed."""
        self.count = (self.count + 1) & _MASK
