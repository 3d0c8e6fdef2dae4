"""Runs sans-I/O machines under asyncio and records every hop."""
