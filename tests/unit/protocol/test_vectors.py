"""The golden vectors, on both interpreters."""

import binascii
import json

from vsecc_link import cbor, envelope, frame, messages
from vsecc_link.cyclic import CyclicFrame, CyclicReader


def load(name):
    folder = __file__.replace("\\", "/").rsplit("/", 4)[0] if "/tests/" in __file__ else "."
    with open(folder + "/protocol/vectors/" + name + ".json") as file:
        return json.load(file)


def value_of(item):
    """A value from its JSON notation."""
    if isinstance(item, dict):
        if "bytes" in item:
            return binascii.unhexlify(item["bytes"])
        return dict([(value_of(key), value_of(value)) for key, value in item["map"]])
    return [value_of(part) for part in item] if isinstance(item, list) else item


def raw(text):
    return binascii.unhexlify(text)


def test_cbor_values_both_ways():
    for vector in load("cbor")["good"]:
        value = value_of(vector["value"])
        assert cbor.encode(value) == raw(vector["hex"]), vector
        assert cbor.decode(raw(vector["hex"])) == value, vector


def test_cbor_longer_heads_are_read():
    for vector in load("cbor")["not_shortest"]:
        assert cbor.decode(raw(vector["hex"])) == value_of(vector["value"]), vector


def test_malformed_cbor_is_a_cbor_error():
    for vector in load("cbor")["bad"]:
        try:
            value = cbor.decode(raw(vector["hex"]))
        except cbor.CborError:
            continue
        raise AssertionError((vector, value))


def test_every_message_both_ways():
    seen = set()
    for vector in load("messages"):
        sender = envelope.ROLE_NAMES.index(vector["sender"])
        message = tuple(value_of(vector["message"]))
        seen.add(message[0])
        assert messages.name_of(message[0]) == vector["name"]
        assert envelope.pack(message, sender) == raw(vector["payload"]), vector
        assert envelope.unpack(raw(vector["payload"]), sender) == (message, None), vector
        assert envelope.unpack(raw(vector["payload"]), 1 - sender)[0] is None
    assert seen == set(messages.CATALOGUE)


def test_cyclic_messages_in_place():
    for vector in load("messages"):
        message = value_of(vector["message"])
        if messages.CATALOGUE[message[0]][2] == messages.CYCLIC:
            cyclic = CyclicFrame(message[0])
            for index in range(len(cyclic.values)):
                cyclic.values[index] = message[index + 1]
            cyclic.patch(815, 7, 1)
            payload = raw(vector["payload"])
            assert cyclic.buffer == frame.build(frame.CYCLIC, 815, 7, 1, payload), vector
            reader = CyclicReader(message[0])
            assert reader.read(cyclic.buffer, frame.HEAD_SIZE, len(cyclic.buffer) - 4)
            assert reader.message() == tuple(message)


def test_s7_refused_payloads():
    for vector in load("refused"):
        message, problem = envelope.unpack(
            raw(vector["payload"]), envelope.ROLE_NAMES.index(vector["sender"])
        )
        assert message is None and problem, vector


def test_frames_both_ways():
    for vector in load("frames")["good"]:
        payload = raw(vector["payload"])
        control = vector["control"] & 0x0F
        built = frame.build(control, vector["session"], vector["number"], vector["ack"], payload)
        assert built == raw(vector["hex"]), vector
        parser = frame.Parser()
        parser.push(built, 0, len(built))
        assert parser.next(), vector
        assert parser.kind | parser.flags == control
        assert (parser.session, parser.number, parser.ack) == (
            vector["session"],
            vector["number"],
            vector["ack"],
        )
        assert parser.payload() == payload
        assert not parser.next() and not parser.partial()


def test_streams_by_any_chunks():
    for vector in load("frames")["streams"]:
        data = raw(vector["hex"])
        for chunk in (1, 3, 7, len(data)):
            parser = frame.Parser()
            numbers = []
            for start in range(0, len(data), chunk):
                end = min(start + chunk, len(data))
                while start < end:
                    start += parser.push(data, start, end)
                    while parser.next():
                        numbers.append(parser.number)
            while parser.partial():
                parser.give_up()
                while parser.next():
                    numbers.append(parser.number)
            assert numbers == vector["numbers"], (vector, chunk, numbers)
