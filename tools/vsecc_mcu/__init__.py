"""Building and judging programs of the real-time controller: compiling, flashing, ELF files, budgets."""
