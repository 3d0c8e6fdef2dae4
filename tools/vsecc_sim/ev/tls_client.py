"""TLS as a car has it: 1.2, one cipher suite, only the V2G root is trusted (ISO 15118-2 7.7.3)."""

from __future__ import annotations

import ssl
from pathlib import Path

CIPHER = "ECDHE-ECDSA-AES128-SHA256"
CURVE = "prime256v1"


def context(v2g_root: str | Path | None) -> ssl.SSLContext:
    """Client context; without a root certificate nobody is trusted. OSError: no such file, or no PEM."""
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    made.minimum_version = made.maximum_version = ssl.TLSVersion.TLSv1_2
    made.set_ciphers(CIPHER)
    made.set_ecdh_curve(CURVE)
    made.check_hostname = False  # an SECC's certificate names no address
    if v2g_root is not None:
        made.load_verify_locations(cafile=str(v2g_root))
    return made
