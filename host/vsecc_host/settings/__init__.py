"""Configuration as typed component/variable declarations."""
