"""What every board shares. The pins the boot file must silence are the same on all boards.

CP1 and CP2 sit on PWM slices 0 and 1: the soft-reset clean-up of the firmware stops only slices 0 to 3.
"""

PILOT_PWM = (0, 2)
RELAY_PUMP = (6, 7, 8)

# Mirror contacts pull to ground while the relay is open: a broken wire reads as closed, hence as welded.
RELAY_FEEDBACK = (9, 10, 11)
RELAY_FEEDBACK_CLOSED = 1

UART_ID = 0
UART_TX = 12
UART_RX = 13
UART_BAUD = 921600

# DIP to ground when ON, pull-up: a broken wire reads as OFF, which leaves the supervision on.
DIP = (14, 15, 22, 3)
# Enable inputs of the lock bridges, on the slice a soft reset stops; silent also where no lock is fitted.
LOCK = (4, 5)

# One SPI bus in mode 3, MISO with a pull-up: a chip that does not answer reads as ones.
SPI_ID = 0
SPI_SCK = 18
SPI_MOSI = 19
SPI_MISO = 16
SPI_HZ = 1_000_000

# MCP3208 with a reference of 3.000 V.
CONVERTER_SELECT = 17
CONVERTER_PROXIMITY = (0, 1)
CONVERTER_ANALOG = (2, 3)
CONVERTER_SUPPLY = 4
CONVERTER_CC1 = (5, 6)  # AC, DC
CONVERTER_REFERENCE = 7  # a second, independent reference

# MCP23S17 chips share one select by address. Their reset has a pull-down: while the MCU does not drive it,
# after any reset of it, every digital output is off.
EXPANDER_SELECT = 20
EXPANDER_RESET = 1
EXPANDER_OUTPUTS = 0  # GPA0..GPB7 = OUT1..OUT16
EXPANDER_OVERLOAD = 1  # diagnosis of OUT1..OUT16, low: overloaded; None: not fitted
EXPANDER_INPUTS = 2  # GPA = DIN1..DIN8; GPB = LEDs, two bits each: green, red

# Button to ground, pull-up.
BUTTON = 21

# Full scale (code 4096) of each divider in mV; the pilot's spans -15 V to +15 V.
PILOT_ZERO_MV = -15000
PILOT_SPAN_MV = 30000
PROXIMITY_SPAN_MV = 6000
ANALOG_SPAN_MV = 11000
SUPPLY_SPAN_MV = 36000
CC1_SPAN_MV = 15000
REFERENCE_SPAN_MV = 3000
REFERENCE_MV = 2500

# What only the reference board has; None: not fitted.
LOCK_DIRECTION = None
LOCK_FAULT = None
LOCK_CONVERTER_SELECT = None
LOCK_FEEDBACK = None
LOCK_PULL_UP_OHM = 4700
LOCK_MODE_MV = 24_000
TEMPERATURE_SELECT = None
TEMPERATURE_INPUTS = None
TEMPERATURE_REFERENCE = None
TEMPERATURE_REFERENCE_MOHM = 1_000_000

CALIBRATION_FILE = "/calibration"
CRASH_FILE = "/crash"

# Registers that have no name in the documented modules; offsets within a block are equal on both chips.
# CHIP_RESET of POWMAN tells a brown-out apart; the RP2040 has one bit for it and for a power-on.
RP2040 = {
    "adc_base": 0x4004C000,
    "adc_dreq": 36,
    "pwm_base": 0x40050000,
    "scratch": 0x4005800C,
    "chip_reset": None,
}
RP2350 = {
    "adc_base": 0x400A0000,
    "adc_dreq": 48,
    "pwm_base": 0x400A8000,
    "scratch": 0x400D800C,
    "chip_reset": 0x4010002C,
}
