"""The MCU <-> host contract: frames, CBOR subset, catalogue, link machine; one source for both ends."""
