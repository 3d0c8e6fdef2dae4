"""Programs onto the real-time controller through its console: two slots, a pointer, a trial, a way back."""
