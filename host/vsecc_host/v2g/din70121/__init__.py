"""DIN SPEC 70121, the SECC's half: a printable table of states and requests, one pure handler per request."""
