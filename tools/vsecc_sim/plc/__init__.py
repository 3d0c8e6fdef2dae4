"""Simulated powerline: modems, the medium between them, cars' SLAC, network namespaces to run it on."""
