"""For every test: hypothesis sets no deadline, for a machine that is busy with other things is no failure."""

from hypothesis import settings

settings.register_profile("vsecc", deadline=None)
settings.load_profile("vsecc")
