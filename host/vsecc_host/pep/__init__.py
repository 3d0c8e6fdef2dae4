"""Power electronics protocol over WebSocket (PEP-WS 1.1 to 1.8): messages of both ends, and the SECC."""
