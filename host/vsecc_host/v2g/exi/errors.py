"""Errors of the codec: ours (EncodeError) and theirs (DecodeError)."""


class ExiError(ValueError):
    """Base of both; bit_position counts from the first bit of the document, None where there is none."""

    def __init__(self, message: str, bit_position: int | None = None) -> None:
        super().__init__(message if bit_position is None else f"bit {bit_position}: {message}")
        self.bit_position = bit_position


class EncodeError(ExiError):
    """Local: the message holds a value that the schema does not allow."""


class DecodeError(ExiError):
    """Remote: the bytes are not a document of the protocol."""


class Refused(Exception):
    """Inside the decoder: what is wrong, and how many bits of the input are left from there on."""

    def __init__(self, left: int, what: str) -> None:
        super().__init__(left, what)
        self.left = left
        self.what = what
