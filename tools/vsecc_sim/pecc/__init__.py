"""The PECC simulator: power electronics behind PEP-WS, its faults, and a judge of the SECC's conduct."""
