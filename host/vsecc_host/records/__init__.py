"""Recorded sessions: traces as captures, packet files and flows."""
