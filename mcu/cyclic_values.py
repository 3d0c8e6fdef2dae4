"""What the cyclic reports say: STATUS, TELEMETRY and TEMPERATURES, written in place, nothing allocated."""

from mcu.temperatures import SENSORS

_U16 = 0xFFFF


def fill_status(values, now, safety, grant_stamp, grant_ticks):
    """Catalogue order of STATUS; stamp and arrival are those of the newest GRANT."""
    values[0] = now
    values[1] = grant_stamp
    values[2] = grant_ticks
    values[3] = safety.relays_closed()
    values[4] = safety.relays_driven()
    at = 5
    for guard in safety.guards:
        monitor = guard.monitor
        values[at] = monitor.state
        values[at + 1] = monitor.high_mv
        values[at + 2] = monitor.low_mv
        values[at + 3] = guard.driver.duty_permille
        values[at + 4] = guard.faults
        values[at + 5] = guard.proximity.millivolt
        at += 6


def fill_telemetry(values, now, io, control, link, refused):
    """Catalogue order of TELEMETRY; counters wrap at 16 bits, times are cut there."""
    values[0] = now
    values[1] = io.digital_inputs
    values[2] = io.dip_switches
    values[3] = io.supply_mv
    values[4] = io.analog_mv[0]
    values[5] = io.analog_mv[1]
    values[6] = min(control.cycle_max_us, _U16)
    values[7] = control.cycle_overruns & _U16
    values[8] = min(control.collect_max_us, _U16)
    values[9] = min(control.heap_free_kib, _U16)
    values[10] = link.parser.good & _U16
    values[11] = link.parser.bad & _U16
    values[12] = (link.refused + refused) & _U16
    values[13] = link.repeats & _U16
    values[14] = io.outputs
    values[15] = io.output_overloads
    values[16] = io.cc1_mv[0]
    values[17] = io.cc1_mv[1]
    values[18] = io.locks[0].state
    values[19] = io.locks[1].state
    values[20] = io.locks[0].ohm
    values[21] = io.locks[1].ohm
    values[22] = io.button.held_ms
    values[23] = io.device_faults.mask


def fill_temperatures(values, now, inputs):
    """Catalogue order of TEMPERATURES."""
    values[0] = now
    for index in range(SENSORS):
        values[1 + index] = inputs.resistance_mohm[index]
    values[10] = inputs.open
    values[11] = inputs.short
    values[12] = inputs.valid
