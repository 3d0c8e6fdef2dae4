"""ISO 15118-2, the SECC's half of a DC session with external payment."""
