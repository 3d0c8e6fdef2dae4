"""What DIN SPEC 70121 and ISO 15118-2 have in common: the DC session, its rules and its times."""
