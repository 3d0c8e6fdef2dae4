"""For every test: hypothesis tries the same each time, and sets no deadline a busy machine could miss.

`--hypothesis-profile=explore` tries something new each time.
"""

from hypothesis import settings

settings.register_profile("vsecc", deadline=None, derandomize=True)
settings.register_profile("explore", deadline=None)
settings.load_profile("vsecc")
