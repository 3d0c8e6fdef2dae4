"""Pin maps and dividers, one module per board."""
