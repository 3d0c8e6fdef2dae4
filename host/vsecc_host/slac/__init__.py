"""SLAC: finds out which car is plugged into which outlet and joins its powerline network (ISO 15118-3)."""
