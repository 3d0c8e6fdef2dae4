"""The MCU <-> host contract: frames, CBOR subset, message catalogue and link machine, one source for both ends."""
