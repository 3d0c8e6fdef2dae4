"""Real-time half of the controller: may say no to the host, never waits for it."""
