"""Vendor-neutral heart of the station: events in, commands out, no I/O."""
