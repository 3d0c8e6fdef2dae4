"""Simulators of everything around the controller."""
