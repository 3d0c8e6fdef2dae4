"""Hardware seam: `pico` (the chip) and `sim` (a simulated board) offer the same names."""
