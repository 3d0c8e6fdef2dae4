"""The safety MCU as the host sees it: values, machine (no I/O) and asyncio service."""
