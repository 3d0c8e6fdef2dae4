"""X.509 of charging stations: certificates, a complete test PKI, judging what we would present. Pure."""
