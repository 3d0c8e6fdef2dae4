"""Payload of a frame: CBOR array [message id, fields...] in catalogue order, checked both ways (rule S7)."""

from . import cbor, cyclic, frame, messages

HOST = 0
MCU = 1
ROLE_NAMES = ("host", "mcu")

_layouts = {}  # message id -> cyclic.Layout, filled when first sent


def pack(message, sender):
    """Payload of a message; ValueError when this sender may not send it: our own mistake."""
    problem = messages.check(message) or _check_sender(message, sender)
    if problem:
        raise ValueError(problem)
    if messages.CATALOGUE[message[0]][2] == messages.CYCLIC:
        layout = _layouts.get(message[0])
        if layout is None:
            layout = _layouts[message[0]] = cyclic.Layout(message[0])
        return layout.payload(message)
    payload = cbor.encode(message)
    if len(payload) > frame.PAYLOAD_MAX:
        raise ValueError(messages.name_of(message[0]) + " is too long")
    return payload


def unpack(payload, sender):
    """(message, None), or (None, one line saying why this is not a message of that sender)."""
    try:
        items = cbor.decode(payload)
    except cbor.CborError as error:
        return None, "payload: " + str(error)
    if type(items) is not list or not items or type(items[0]) is not int:
        return None, "payload is not a message"
    message = tuple(items)
    problem = messages.check(message) or _check_sender(message, sender)
    return (None, problem) if problem else (message, None)


def _check_sender(message, sender):
    if messages.CATALOGUE[message[0]][1] == ROLE_NAMES[sender]:
        return None
    return messages.name_of(message[0]) + " from the wrong end"


def host_hello(version_text):
    """HELLO_REQUEST of a host that speaks this catalogue."""
    major, minor = messages.PROTOCOL_VERSION
    return (messages.HELLO_REQUEST, major, minor, messages.catalogue_crc(), version_text)


def foreign_problem(who, hello, catalogue_crc):
    """None when a hello speaks our catalogue, else one line naming the difference (rule S7)."""
    if hello[1] != messages.PROTOCOL_VERSION[0]:
        return who + " speaks protocol version " + str(hello[1])
    if hello[3] != catalogue_crc:
        return who + " has another message catalogue: %08x, not %08x" % (hello[3], catalogue_crc)
    return None
