"""Replay of recorded sessions: the car's half of a capture against a running station."""
