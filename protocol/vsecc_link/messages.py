"""Catalogue of every message that may cross the UART. The one place where ids, fields, units and ranges live.

A message on either end is a plain tuple `(message_id, field, field, ...)` in catalogue order. `check` refuses
what the catalogue does not allow, so that no unknown or out-of-range message can reach an output (rule S7).
Runs unchanged on CPython and MicroPython: no enum, no dataclass, no typing.
"""

PROTOCOL_VERSION = (1, 0)

# Field kinds. Integers carry their range in the field row.
INT = 0
BOOL = 1
TEXT = 2
BYTES = 3

# How a message travels: RELIABLE is numbered, acknowledged and repeated; CYCLIC is sent again anyway, newest
# wins.
RELIABLE = 0
CYCLIC = 1

# CP states, IEC 61851-1; UNKNOWN until the first confirmed reading.
CP_UNKNOWN = 0
CP_A = 1
CP_B = 2
CP_C = 3
CP_D = 4
CP_E = 5
CP_F = 6
CP_NAMES = ("unknown", "A", "B", "C", "D", "E", "F")

# What the host may ask of the pilot. STEADY_POSITIVE is X1, STEADY_NEGATIVE is state F.
PILOT_STEADY_POSITIVE = 0
PILOT_PWM = 1
PILOT_STEADY_NEGATIVE = 2
PILOT_NAMES = ("X1", "PWM", "F")

# Faults of a port, bit positions of the fault mask. Latched until cleared (rule S6).
FAULT_CP_SHORT = 0
FAULT_CP_DIODE = 1
FAULT_CP_LEVEL = 2
FAULT_CP_PWM = 3
FAULT_PP = 4
FAULT_RELAY_WELDED = 5
FAULT_RELAY_NO_CLOSE = 6
FAULT_SELF_TEST = 7
FAULT_CC1 = 8
FAULT_NAMES = (
    "CP_SHORT",
    "CP_DIODE",
    "CP_LEVEL",
    "CP_PWM",
    "PP",
    "RELAY_WELDED",
    "RELAY_NO_CLOSE",
    "SELF_TEST",
    "CC1",
)

# Faults of the device that concern no port, bit positions of `device_faults`. They come and go with their
# cause, MEMORY and IMAGE stay until a restart. BROWN_OUT: the supply is below what relays and locks need.
DEVICE_SUPPLY_LOW = 0
DEVICE_BROWN_OUT = 1
DEVICE_CONVERTER = 2
DEVICE_TEMPERATURE = 3
DEVICE_EXPANDER = 4
DEVICE_CALIBRATION = 5
DEVICE_ADC_REFERENCE = 6
DEVICE_SAMPLING = 7
DEVICE_MEMORY = 8
DEVICE_IMAGE = 9
DEVICE_FAULT_NAMES = (
    "SUPPLY_LOW",
    "BROWN_OUT",
    "CONVERTER_DEAD",
    "TEMPERATURE_CONVERTER_DEAD",
    "EXPANDER_DEAD",
    "CALIBRATION_MISSING",
    "ADC_REFERENCE",
    "SAMPLING_STOPPED",
    "MEMORY_TEST",
    "IMAGE_HASH",
)

# Connector lock. FAULT: the motor ran its time and the feedback does not agree, or the feedback is broken.
LOCK_UNKNOWN = 0
LOCK_UNLOCKED = 1
LOCK_LOCKED = 2
LOCK_MOVING = 3
LOCK_FAULT = 4
LOCK_NAMES = ("unknown", "unlocked", "locked", "moving", "fault")

# Why a safety relay opened or may not close (first reason that holds, in this order).
OPEN_NOT = 0
OPEN_DEVICE = 1
OPEN_FAULT = 2
OPEN_CP = 3
OPEN_PP = 4
OPEN_CC1 = 5
OPEN_GRANT_EXPIRED = 6
OPEN_NO_GRANT = 7
OPEN_BOOT = 8
OPEN_NAMES = (
    "closed",
    "device fault",
    "fault latched",
    "CP left C/D",
    "PP supervision",
    "CC1 supervision",
    "grant expired",
    "not granted",
    "boot",
)

RESET_NAMES = ("power-on", "watchdog", "commanded", "fatal error", "brown-out", "unknown")

LOG_NAMES = ("debug", "info", "warning", "error")

U8 = (0, 255)
U16 = (0, 65535)
U32 = (0, 4294967295)
U24 = (0, 16777215)
TICKS = (0, 1073741823)
MILLIVOLT = (-32768, 32767)
PORT = (1, 2)
RELAY = (1, 3)
SENSORS = (0, 511)  # bit 0 = temperature input 1
LOCK = (LOCK_UNKNOWN, LOCK_FAULT)

HELLO = 1
STATUS = 2
CP_STATE = 3
RELAY_STATE = 4
FAULT = 5
LOG = 6
TELEMETRY = 7
REFUSED = 8
TEMPERATURES = 9
LOCK_STATE = 10
BUTTON = 11
OUTPUT_OVERLOAD = 12
DEVICE_FAULT = 13
CRASH = 14

HELLO_REQUEST = 32
GRANT = 33
SET_PILOT = 34
CLEAR_FAULTS = 35
SET_OUTPUTS = 36
SET_LOCK = 37
SET_LED = 38
RESET = 39

# id: (name, sent by, travel, ((field, kind, low, high), ...)); for TEXT and BYTES low..high is the length.
CATALOGUE = {
    HELLO: (
        "HELLO",
        "mcu",
        RELIABLE,
        (
            ("version_major", INT) + U8,
            ("version_minor", INT) + U8,
            ("catalogue_crc", INT) + U32,
            ("ticks_hz", INT) + U32,
            ("image_sha256", BYTES, 0, 32),
            ("image_version", TEXT, 0, 32),
            ("board", TEXT, 0, 32),
            ("interpreter", TEXT, 0, 48),
            ("reset_cause", INT) + U8,
            ("boot_id", INT) + U32,
            ("ticks_us", INT) + TICKS,
        ),
    ),
    # Every 20 ms and at once after a change. Port fields come twice, port 1 first.
    STATUS: (
        "STATUS",
        "mcu",
        CYCLIC,
        (
            ("ticks_us", INT) + TICKS,
            ("grant_stamp", INT) + U16,  # stamp of the newest GRANT taken, and when it was taken
            ("grant_ticks_us", INT) + TICKS,
            ("relays_closed", INT) + U8,  # bit 0 = REL1: contact feedback
            ("relays_driven", INT) + U8,  # bit 0 = REL1: keep-alive being fed
            ("cp1_state", INT, CP_UNKNOWN, CP_F),
            ("cp1_high_mv", INT) + MILLIVOLT,
            ("cp1_low_mv", INT) + MILLIVOLT,
            ("cp1_duty_permille", INT, 0, 1000),
            ("cp1_faults", INT) + U16,
            ("pp1_mv", INT) + U16,
            ("cp2_state", INT, CP_UNKNOWN, CP_F),
            ("cp2_high_mv", INT) + MILLIVOLT,
            ("cp2_low_mv", INT) + MILLIVOLT,
            ("cp2_duty_permille", INT, 0, 1000),
            ("cp2_faults", INT) + U16,
            ("pp2_mv", INT) + U16,
        ),
    ),
    CP_STATE: (
        "CP_STATE",
        "mcu",
        RELIABLE,
        (
            ("ticks_us", INT) + TICKS,
            ("port", INT) + PORT,
            ("state", INT, CP_UNKNOWN, CP_F),
            ("previous", INT, CP_UNKNOWN, CP_F),
            ("high_mv", INT) + MILLIVOLT,
            ("low_mv", INT) + MILLIVOLT,
        ),
    ),
    RELAY_STATE: (
        "RELAY_STATE",
        "mcu",
        RELIABLE,
        (
            ("ticks_us", INT) + TICKS,
            ("relay", INT) + RELAY,
            ("closed", BOOL, 0, 1),
            ("reason", INT, OPEN_NOT, OPEN_BOOT),
        ),
    ),
    FAULT: (
        "FAULT",
        "mcu",
        RELIABLE,
        (
            ("ticks_us", INT) + TICKS,
            ("port", INT) + PORT,
            ("fault", INT, 0, len(FAULT_NAMES) - 1),
            ("latched", BOOL, 0, 1),
        ),
    ),
    LOG: (
        "LOG",
        "mcu",
        RELIABLE,
        (("ticks_us", INT) + TICKS, ("level", INT, 0, 3), ("text", TEXT, 0, 120)),
    ),
    # Every 200 ms: slow inputs and the counters a person debugging the link wants to see.
    TELEMETRY: (
        "TELEMETRY",
        "mcu",
        CYCLIC,
        (
            ("ticks_us", INT) + TICKS,
            ("digital_inputs", INT) + U8,
            ("dip_switches", INT) + U8,
            ("supply_mv", INT) + U16,
            ("analog1_mv", INT) + U16,
            ("analog2_mv", INT) + U16,
            ("cycle_max_us", INT) + U16,
            ("cycle_overruns", INT) + U16,
            ("collect_max_us", INT) + U16,
            ("heap_free_kib", INT) + U16,
            ("rx_frames", INT) + U16,
            ("rx_bad", INT) + U16,
            ("rx_refused", INT) + U16,
            ("tx_repeats", INT) + U16,
            ("outputs", INT) + U16,  # driven; bit 0 = OUT1
            ("output_overloads", INT) + U16,  # read back from the drivers
            ("cc1_ac_mv", INT) + U16,
            ("cc1_dc_mv", INT) + U16,
            ("lock1_state", INT) + LOCK,
            ("lock2_state", INT) + LOCK,
            ("lock1_ohm", INT) + U16,  # feedback; 65535: open
            ("lock2_ohm", INT) + U16,
            ("button_held_ms", INT) + U16,  # 0: not pressed
            ("device_faults", INT) + U16,
        ),
    ),
    # Every 200 ms. A sensor that is neither open nor short nor valid was not read since the start.
    TEMPERATURES: (
        "TEMPERATURES",
        "mcu",
        CYCLIC,
        (
            ("ticks_us", INT) + TICKS,
            ("resistance1_mohm", INT) + U24,
            ("resistance2_mohm", INT) + U24,
            ("resistance3_mohm", INT) + U24,
            ("resistance4_mohm", INT) + U24,
            ("resistance5_mohm", INT) + U24,
            ("resistance6_mohm", INT) + U24,
            ("resistance7_mohm", INT) + U24,
            ("resistance8_mohm", INT) + U24,
            ("resistance9_mohm", INT) + U24,
            ("sensors_open", INT) + SENSORS,
            ("sensors_short", INT) + SENSORS,
            ("sensors_valid", INT) + SENSORS,
        ),
    ),
    LOCK_STATE: (
        "LOCK_STATE",
        "mcu",
        RELIABLE,
        (("ticks_us", INT) + TICKS, ("port", INT) + PORT, ("lock_state", INT) + LOCK),
    ),
    # Factory-reset button: told once when it has been held for 5 s, and when it is released.
    BUTTON: (
        "BUTTON",
        "mcu",
        RELIABLE,
        (("ticks_us", INT) + TICKS, ("held_ms", INT) + U16, ("pressed", BOOL, 0, 1)),
    ),
    OUTPUT_OVERLOAD: (
        "OUTPUT_OVERLOAD",
        "mcu",
        RELIABLE,
        (("ticks_us", INT) + TICKS, ("overloads", INT) + U16),
    ),
    DEVICE_FAULT: (
        "DEVICE_FAULT",
        "mcu",
        RELIABLE,
        (
            ("ticks_us", INT) + TICKS,
            ("device_fault", INT, 0, len(DEVICE_FAULT_NAMES) - 1),
            ("present", BOOL, 0, 1),
        ),
    ),
    # What ended the program before this start, kept over the reset; a long text comes in parts, first one 1.
    CRASH: (
        "CRASH",
        "mcu",
        RELIABLE,
        (
            ("ticks_us", INT) + TICKS,
            ("uptime_ms", INT) + U32,
            ("reset_cause", INT) + U8,
            ("part", INT, 1, 8),
            ("parts", INT, 1, 8),
            ("text", TEXT, 0, 120),
        ),
    ),
    # The MCU will not do what was asked; `reason` is text for a person.
    REFUSED: (
        "REFUSED",
        "mcu",
        RELIABLE,
        (("message_id", INT) + U8, ("reason", TEXT, 0, 80)),
    ),
    HELLO_REQUEST: (
        "HELLO_REQUEST",
        "host",
        RELIABLE,
        (
            ("version_major", INT) + U8,
            ("version_minor", INT) + U8,
            ("catalogue_crc", INT) + U32,
            ("host_version", TEXT, 0, 32),
        ),
    ),
    # Every 100 ms while linked. `relays`: bit 0 = REL1 may close. Expires after 500 ms (rule S3).
    GRANT: (
        "GRANT",
        "host",
        CYCLIC,
        (("stamp", INT) + U16, ("relays", INT, 0, 7), ("valid_ms", INT, 0, 500)),
    ),
    SET_PILOT: (
        "SET_PILOT",
        "host",
        RELIABLE,
        (
            ("port", INT) + PORT,
            ("mode", INT, PILOT_STEADY_POSITIVE, PILOT_STEADY_NEGATIVE),
            ("duty_permille", INT, 0, 1000),
        ),
    ),
    CLEAR_FAULTS: ("CLEAR_FAULTS", "host", RELIABLE, (("port", INT) + PORT,)),
    SET_OUTPUTS: ("SET_OUTPUTS", "host", RELIABLE, (("mask", INT) + U16, ("values", INT) + U16)),
    SET_LOCK: ("SET_LOCK", "host", RELIABLE, (("port", INT) + PORT, ("locked", BOOL, 0, 1))),
    # led 0 = system, 1..3 = port; pattern: 0 off, 1 green flashing, 2 green, 3 red flashing, 4 red.
    # The system LED at 0 is not off: the MCU shows its own state there again.
    SET_LED: ("SET_LED", "host", RELIABLE, (("led", INT, 0, 3), ("pattern", INT, 0, 4))),
    RESET: ("RESET", "host", RELIABLE, (("confirm", INT, 0x5AFE, 0x5AFE),)),
}


def name_of(message_id):
    """Catalogue name of a message id, or its number as text when it is unknown."""
    row = CATALOGUE.get(message_id)
    return row[0] if row else str(message_id)


def check(message):
    """None when the tuple is a message the catalogue allows, else one line saying what is wrong (rule S7)."""
    if not message or message[0] not in CATALOGUE:
        return "unknown message"
    name, _, _, fields = CATALOGUE[message[0]]
    if len(message) != len(fields) + 1:
        return name + ": wrong number of fields"
    for index in range(len(fields)):
        problem = _check_field(fields[index], message[index + 1])
        if problem:
            return name + "." + problem
    return None


def _check_field(field, value):
    label, kind, low, high = field
    if kind == INT:
        if type(value) is not int or not low <= value <= high:
            return label + ": not in " + str(low) + ".." + str(high)
    elif kind == BOOL:
        if type(value) is not bool:
            return label + ": not a boolean"
    elif type(value) is not (str if kind == TEXT else bytes) or not low <= len(value) <= high:
        return label + ": length not in " + str(low) + ".." + str(high)
    return None


def catalogue_crc():
    """CRC-32 over the catalogue in id order; both ends compare it before anything moves (rule S7)."""
    import binascii

    crc = 0
    for message_id in sorted(CATALOGUE):
        crc = binascii.crc32(repr((message_id, CATALOGUE[message_id])).encode(), crc)
    return crc & 0xFFFFFFFF
