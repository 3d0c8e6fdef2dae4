"""The program `vsecc` and its sub-commands."""
