"""Chips on the SPI bus, written to their data sheets. Every call is one conversation that allocates nothing.

Mode 3 suits all of them. MISO has a pull-up: a chip that does not drive the line reads as ones.
"""

# Conversations in a row that may fail before a chip counts as dead.
DEAD_AFTER = 3
