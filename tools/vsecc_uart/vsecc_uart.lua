-- Wireshark dissector of the line between MCU and host of vsecc. Made by vsecc_uart/dissector.py.
-- Catalogue b7ee7217, protocol 1.0

local CATALOGUE_CRC = 3085857303
local CATALOGUE = {
    [1] = {name = "HELLO", from = "mcu", travel = "reliable", fields = {
        {key = "version_major", kind = "int", low = 0, high = 255, field = ProtoField.uint32("vsecc_uart.hello.version_major", "version_major", base.DEC)},
        {key = "version_minor", kind = "int", low = 0, high = 255, field = ProtoField.uint32("vsecc_uart.hello.version_minor", "version_minor", base.DEC)},
        {key = "catalogue_crc", kind = "int", low = 0, high = 4294967295, field = ProtoField.uint32("vsecc_uart.hello.catalogue_crc", "catalogue_crc", base.HEX)},
        {key = "ticks_hz", kind = "int", low = 0, high = 4294967295, field = ProtoField.uint32("vsecc_uart.hello.ticks_hz", "ticks_hz", base.UNIT_STRING, {" Hz"})},
        {key = "image_sha256", kind = "bytes", low = 0, high = 32, field = ProtoField.bytes("vsecc_uart.hello.image_sha256", "image_sha256")},
        {key = "image_version", kind = "text", low = 0, high = 32, field = ProtoField.string("vsecc_uart.hello.image_version", "image_version")},
        {key = "board", kind = "text", low = 0, high = 32, field = ProtoField.string("vsecc_uart.hello.board", "board")},
        {key = "interpreter", kind = "text", low = 0, high = 48, field = ProtoField.string("vsecc_uart.hello.interpreter", "interpreter")},
        {key = "reset_cause", kind = "int", low = 0, high = 255, names = {[0] = "power-on", [1] = "watchdog", [2] = "commanded", [3] = "fatal error", [4] = "brown-out", [5] = "unknown"}, field = ProtoField.uint32("vsecc_uart.hello.reset_cause", "reset_cause", base.DEC, {[0] = "power-on", [1] = "watchdog", [2] = "commanded", [3] = "fatal error", [4] = "brown-out", [5] = "unknown"})},
        {key = "boot_id", kind = "int", low = 0, high = 4294967295, field = ProtoField.uint32("vsecc_uart.hello.boot_id", "boot_id", base.HEX)},
        {key = "ticks_us", kind = "int", low = 0, high = 1073741823, field = ProtoField.uint32("vsecc_uart.hello.ticks_us", "ticks_us", base.UNIT_STRING, {" µs"})},
    }},
    [2] = {name = "STATUS", from = "mcu", travel = "cyclic", fields = {
        {key = "ticks_us", kind = "int", low = 0, high = 1073741823, field = ProtoField.uint32("vsecc_uart.status.ticks_us", "ticks_us", base.UNIT_STRING, {" µs"})},
        {key = "grant_stamp", kind = "int", low = 0, high = 65535, field = ProtoField.uint32("vsecc_uart.status.grant_stamp", "grant_stamp", base.DEC)},
        {key = "grant_ticks_us", kind = "int", low = 0, high = 1073741823, field = ProtoField.uint32("vsecc_uart.status.grant_ticks_us", "grant_ticks_us", base.UNIT_STRING, {" µs"})},
        {key = "relays_closed", kind = "int", low = 0, high = 255, bits = {"REL1", "REL2", "REL3"}, field = ProtoField.uint32("vsecc_uart.status.relays_closed", "relays_closed", base.DEC)},
        {key = "relays_driven", kind = "int", low = 0, high = 255, bits = {"REL1", "REL2", "REL3"}, field = ProtoField.uint32("vsecc_uart.status.relays_driven", "relays_driven", base.DEC)},
        {key = "cp1_state", kind = "int", low = 0, high = 6, names = {[0] = "unknown", [1] = "A", [2] = "B", [3] = "C", [4] = "D", [5] = "E", [6] = "F"}, field = ProtoField.uint32("vsecc_uart.status.cp1_state", "cp1_state", base.DEC, {[0] = "unknown", [1] = "A", [2] = "B", [3] = "C", [4] = "D", [5] = "E", [6] = "F"})},
        {key = "cp1_high_mv", kind = "int", low = -32768, high = 32767, field = ProtoField.int32("vsecc_uart.status.cp1_high_mv", "cp1_high_mv", base.UNIT_STRING, {" mV"})},
        {key = "cp1_low_mv", kind = "int", low = -32768, high = 32767, field = ProtoField.int32("vsecc_uart.status.cp1_low_mv", "cp1_low_mv", base.UNIT_STRING, {" mV"})},
        {key = "cp1_duty_permille", kind = "int", low = 0, high = 1000, field = ProtoField.uint32("vsecc_uart.status.cp1_duty_permille", "cp1_duty_permille", base.UNIT_STRING, {" ‰"})},
        {key = "cp1_faults", kind = "int", low = 0, high = 65535, bits = {"CP_SHORT", "CP_DIODE", "CP_LEVEL", "CP_PWM", "PP", "RELAY_WELDED", "RELAY_NO_CLOSE", "SELF_TEST", "CC1"}, field = ProtoField.uint32("vsecc_uart.status.cp1_faults", "cp1_faults", base.DEC)},
        {key = "pp1_mv", kind = "int", low = 0, high = 65535, field = ProtoField.uint32("vsecc_uart.status.pp1_mv", "pp1_mv", base.UNIT_STRING, {" mV"})},
        {key = "cp2_state", kind = "int", low = 0, high = 6, names = {[0] = "unknown", [1] = "A", [2] = "B", [3] = "C", [4] = "D", [5] = "E", [6] = "F"}, field = ProtoField.uint32("vsecc_uart.status.cp2_state", "cp2_state", base.DEC, {[0] = "unknown", [1] = "A", [2] = "B", [3] = "C", [4] = "D", [5] = "E", [6] = "F"})},
        {key = "cp2_high_mv", kind = "int", low = -32768, high = 32767, field = ProtoField.int32("vsecc_uart.status.cp2_high_mv", "cp2_high_mv", base.UNIT_STRING, {" mV"})},
        {key = "cp2_low_mv", kind = "int", low = -32768, high = 32767, field = ProtoField.int32("vsecc_uart.status.cp2_low_mv", "cp2_low_mv", base.UNIT_STRING, {" mV"})},
        {key = "cp2_duty_permille", kind = "int", low = 0, high = 1000, field = ProtoField.uint32("vsecc_uart.status.cp2_duty_permille", "cp2_duty_permille", base.UNIT_STRING, {" ‰"})},
        {key = "cp2_faults", kind = "int", low = 0, high = 65535, bits = {"CP_SHORT", "CP_DIODE", "CP_LEVEL", "CP_PWM", "PP", "RELAY_WELDED", "RELAY_NO_CLOSE", "SELF_TEST", "CC1"}, field = ProtoField.uint32("vsecc_uart.status.cp2_faults", "cp2_faults", base.DEC)},
        {key = "pp2_mv", kind = "int", low = 0, high = 65535, field = ProtoField.uint32("vsecc_uart.status.pp2_mv", "pp2_mv", base.UNIT_STRING, {" mV"})},
    }},
    [3] = {name = "CP_STATE", from = "mcu", travel = "reliable", fields = {
        {key = "ticks_us", kind = "int", low = 0, high = 1073741823, field = ProtoField.uint32("vsecc_uart.cp_state.ticks_us", "ticks_us", base.UNIT_STRING, {" µs"})},
        {key = "port", kind = "int", low = 1, high = 2, field = ProtoField.uint32("vsecc_uart.cp_state.port", "port", base.DEC)},
        {key = "state", kind = "int", low = 0, high = 6, names = {[0] = "unknown", [1] = "A", [2] = "B", [3] = "C", [4] = "D", [5] = "E", [6] = "F"}, field = ProtoField.uint32("vsecc_uart.cp_state.state", "state", base.DEC, {[0] = "unknown", [1] = "A", [2] = "B", [3] = "C", [4] = "D", [5] = "E", [6] = "F"})},
        {key = "previous", kind = "int", low = 0, high = 6, names = {[0] = "unknown", [1] = "A", [2] = "B", [3] = "C", [4] = "D", [5] = "E", [6] = "F"}, field = ProtoField.uint32("vsecc_uart.cp_state.previous", "previous", base.DEC, {[0] = "unknown", [1] = "A", [2] = "B", [3] = "C", [4] = "D", [5] = "E", [6] = "F"})},
        {key = "high_mv", kind = "int", low = -32768, high = 32767, field = ProtoField.int32("vsecc_uart.cp_state.high_mv", "high_mv", base.UNIT_STRING, {" mV"})},
        {key = "low_mv", kind = "int", low = -32768, high = 32767, field = ProtoField.int32("vsecc_uart.cp_state.low_mv", "low_mv", base.UNIT_STRING, {" mV"})},
    }},
    [4] = {name = "RELAY_STATE", from = "mcu", travel = "reliable", fields = {
        {key = "ticks_us", kind = "int", low = 0, high = 1073741823, field = ProtoField.uint32("vsecc_uart.relay_state.ticks_us", "ticks_us", base.UNIT_STRING, {" µs"})},
        {key = "relay", kind = "int", low = 1, high = 3, field = ProtoField.uint32("vsecc_uart.relay_state.relay", "relay", base.DEC)},
        {key = "closed", kind = "bool", low = 0, high = 1, field = ProtoField.bool("vsecc_uart.relay_state.closed", "closed")},
        {key = "reason", kind = "int", low = 0, high = 8, names = {[0] = "closed", [1] = "device fault", [2] = "fault latched", [3] = "CP left C/D", [4] = "PP supervision", [5] = "CC1 supervision", [6] = "grant expired", [7] = "not granted", [8] = "boot"}, field = ProtoField.uint32("vsecc_uart.relay_state.reason", "reason", base.DEC, {[0] = "closed", [1] = "device fault", [2] = "fault latched", [3] = "CP left C/D", [4] = "PP supervision", [5] = "CC1 supervision", [6] = "grant expired", [7] = "not granted", [8] = "boot"})},
    }},
    [5] = {name = "FAULT", from = "mcu", travel = "reliable", fields = {
        {key = "ticks_us", kind = "int", low = 0, high = 1073741823, field = ProtoField.uint32("vsecc_uart.fault.ticks_us", "ticks_us", base.UNIT_STRING, {" µs"})},
        {key = "port", kind = "int", low = 1, high = 2, field = ProtoField.uint32("vsecc_uart.fault.port", "port", base.DEC)},
        {key = "fault", kind = "int", low = 0, high = 8, names = {[0] = "CP_SHORT", [1] = "CP_DIODE", [2] = "CP_LEVEL", [3] = "CP_PWM", [4] = "PP", [5] = "RELAY_WELDED", [6] = "RELAY_NO_CLOSE", [7] = "SELF_TEST", [8] = "CC1"}, field = ProtoField.uint32("vsecc_uart.fault.fault", "fault", base.DEC, {[0] = "CP_SHORT", [1] = "CP_DIODE", [2] = "CP_LEVEL", [3] = "CP_PWM", [4] = "PP", [5] = "RELAY_WELDED", [6] = "RELAY_NO_CLOSE", [7] = "SELF_TEST", [8] = "CC1"})},
        {key = "latched", kind = "bool", low = 0, high = 1, field = ProtoField.bool("vsecc_uart.fault.latched", "latched")},
    }},
    [6] = {name = "LOG", from = "mcu", travel = "reliable", fields = {
        {key = "ticks_us", kind = "int", low = 0, high = 1073741823, field = ProtoField.uint32("vsecc_uart.log.ticks_us", "ticks_us", base.UNIT_STRING, {" µs"})},
        {key = "level", kind = "int", low = 0, high = 3, names = {[0] = "debug", [1] = "info", [2] = "warning", [3] = "error"}, field = ProtoField.uint32("vsecc_uart.log.level", "level", base.DEC, {[0] = "debug", [1] = "info", [2] = "warning", [3] = "error"})},
        {key = "text", kind = "text", low = 0, high = 120, field = ProtoField.string("vsecc_uart.log.text", "text")},
    }},
    [7] = {name = "TELEMETRY", from = "mcu", travel = "cyclic", fields = {
        {key = "ticks_us", kind = "int", low = 0, high = 1073741823, field = ProtoField.uint32("vsecc_uart.telemetry.ticks_us", "ticks_us", base.UNIT_STRING, {" µs"})},
        {key = "digital_inputs", kind = "int", low = 0, high = 255, bits = {"IN1", "IN2", "IN3", "IN4", "IN5", "IN6", "IN7", "IN8"}, field = ProtoField.uint32("vsecc_uart.telemetry.digital_inputs", "digital_inputs", base.DEC)},
        {key = "dip_switches", kind = "int", low = 0, high = 255, bits = {"DIP1", "DIP2", "DIP3", "DIP4"}, field = ProtoField.uint32("vsecc_uart.telemetry.dip_switches", "dip_switches", base.DEC)},
        {key = "supply_mv", kind = "int", low = 0, high = 65535, field = ProtoField.uint32("vsecc_uart.telemetry.supply_mv", "supply_mv", base.UNIT_STRING, {" mV"})},
        {key = "analog1_mv", kind = "int", low = 0, high = 65535, field = ProtoField.uint32("vsecc_uart.telemetry.analog1_mv", "analog1_mv", base.UNIT_STRING, {" mV"})},
        {key = "analog2_mv", kind = "int", low = 0, high = 65535, field = ProtoField.uint32("vsecc_uart.telemetry.analog2_mv", "analog2_mv", base.UNIT_STRING, {" mV"})},
        {key = "cycle_max_us", kind = "int", low = 0, high = 65535, field = ProtoField.uint32("vsecc_uart.telemetry.cycle_max_us", "cycle_max_us", base.UNIT_STRING, {" µs"})},
        {key = "cycle_overruns", kind = "int", low = 0, high = 65535, field = ProtoField.uint32("vsecc_uart.telemetry.cycle_overruns", "cycle_overruns", base.DEC)},
        {key = "collect_max_us", kind = "int", low = 0, high = 65535, field = ProtoField.uint32("vsecc_uart.telemetry.collect_max_us", "collect_max_us", base.UNIT_STRING, {" µs"})},
        {key = "heap_free_kib", kind = "int", low = 0, high = 65535, field = ProtoField.uint32("vsecc_uart.telemetry.heap_free_kib", "heap_free_kib", base.UNIT_STRING, {" KiB"})},
        {key = "rx_frames", kind = "int", low = 0, high = 65535, field = ProtoField.uint32("vsecc_uart.telemetry.rx_frames", "rx_frames", base.DEC)},
        {key = "rx_bad", kind = "int", low = 0, high = 65535, field = ProtoField.uint32("vsecc_uart.telemetry.rx_bad", "rx_bad", base.DEC)},
        {key = "rx_refused", kind = "int", low = 0, high = 65535, field = ProtoField.uint32("vsecc_uart.telemetry.rx_refused", "rx_refused", base.DEC)},
        {key = "tx_repeats", kind = "int", low = 0, high = 65535, field = ProtoField.uint32("vsecc_uart.telemetry.tx_repeats", "tx_repeats", base.DEC)},
        {key = "outputs", kind = "int", low = 0, high = 65535, bits = {"OUT1", "OUT2", "OUT3", "OUT4", "OUT5", "OUT6", "OUT7", "OUT8", "OUT9", "OUT10", "OUT11", "OUT12", "OUT13", "OUT14", "OUT15", "OUT16"}, field = ProtoField.uint32("vsecc_uart.telemetry.outputs", "outputs", base.DEC)},
        {key = "output_overloads", kind = "int", low = 0, high = 65535, bits = {"OUT1", "OUT2", "OUT3", "OUT4", "OUT5", "OUT6", "OUT7", "OUT8", "OUT9", "OUT10", "OUT11", "OUT12", "OUT13", "OUT14", "OUT15", "OUT16"}, field = ProtoField.uint32("vsecc_uart.telemetry.output_overloads", "output_overloads", base.DEC)},
        {key = "cc1_ac_mv", kind = "int", low = 0, high = 65535, field = ProtoField.uint32("vsecc_uart.telemetry.cc1_ac_mv", "cc1_ac_mv", base.UNIT_STRING, {" mV"})},
        {key = "cc1_dc_mv", kind = "int", low = 0, high = 65535, field = ProtoField.uint32("vsecc_uart.telemetry.cc1_dc_mv", "cc1_dc_mv", base.UNIT_STRING, {" mV"})},
        {key = "lock1_state", kind = "int", low = 0, high = 4, names = {[0] = "unknown", [1] = "unlocked", [2] = "locked", [3] = "moving", [4] = "fault"}, field = ProtoField.uint32("vsecc_uart.telemetry.lock1_state", "lock1_state", base.DEC, {[0] = "unknown", [1] = "unlocked", [2] = "locked", [3] = "moving", [4] = "fault"})},
        {key = "lock2_state", kind = "int", low = 0, high = 4, names = {[0] = "unknown", [1] = "unlocked", [2] = "locked", [3] = "moving", [4] = "fault"}, field = ProtoField.uint32("vsecc_uart.telemetry.lock2_state", "lock2_state", base.DEC, {[0] = "unknown", [1] = "unlocked", [2] = "locked", [3] = "moving", [4] = "fault"})},
        {key = "lock1_ohm", kind = "int", low = 0, high = 65535, field = ProtoField.uint32("vsecc_uart.telemetry.lock1_ohm", "lock1_ohm", base.UNIT_STRING, {" Ω"})},
        {key = "lock2_ohm", kind = "int", low = 0, high = 65535, field = ProtoField.uint32("vsecc_uart.telemetry.lock2_ohm", "lock2_ohm", base.UNIT_STRING, {" Ω"})},
        {key = "button_held_ms", kind = "int", low = 0, high = 65535, field = ProtoField.uint32("vsecc_uart.telemetry.button_held_ms", "button_held_ms", base.UNIT_STRING, {" ms"})},
        {key = "device_faults", kind = "int", low = 0, high = 65535, bits = {"SUPPLY_LOW", "BROWN_OUT", "CONVERTER_DEAD", "TEMPERATURE_CONVERTER_DEAD", "EXPANDER_DEAD", "CALIBRATION_MISSING", "ADC_REFERENCE", "SAMPLING_STOPPED", "MEMORY_TEST", "IMAGE_HASH"}, field = ProtoField.uint32("vsecc_uart.telemetry.device_faults", "device_faults", base.DEC)},
    }},
    [8] = {name = "REFUSED", from = "mcu", travel = "reliable", fields = {
        {key = "message_id", kind = "int", low = 0, high = 255, field = ProtoField.uint32("vsecc_uart.refused.message_id", "message_id", base.DEC, {[1] = "HELLO", [2] = "STATUS", [3] = "CP_STATE", [4] = "RELAY_STATE", [5] = "FAULT", [6] = "LOG", [7] = "TELEMETRY", [8] = "REFUSED", [9] = "TEMPERATURES", [10] = "LOCK_STATE", [11] = "BUTTON", [12] = "OUTPUT_OVERLOAD", [13] = "DEVICE_FAULT", [14] = "CRASH", [32] = "HELLO_REQUEST", [33] = "GRANT", [34] = "SET_PILOT", [35] = "CLEAR_FAULTS", [36] = "SET_OUTPUTS", [37] = "SET_LOCK", [38] = "SET_LED", [39] = "RESET"})},
        {key = "reason", kind = "text", low = 0, high = 80, field = ProtoField.string("vsecc_uart.refused.reason", "reason")},
    }},
    [9] = {name = "TEMPERATURES", from = "mcu", travel = "cyclic", fields = {
        {key = "ticks_us", kind = "int", low = 0, high = 1073741823, field = ProtoField.uint32("vsecc_uart.temperatures.ticks_us", "ticks_us", base.UNIT_STRING, {" µs"})},
        {key = "resistance1_mohm", kind = "int", low = 0, high = 16777215, field = ProtoField.uint32("vsecc_uart.temperatures.resistance1_mohm", "resistance1_mohm", base.UNIT_STRING, {" mΩ"})},
        {key = "resistance2_mohm", kind = "int", low = 0, high = 16777215, field = ProtoField.uint32("vsecc_uart.temperatures.resistance2_mohm", "resistance2_mohm", base.UNIT_STRING, {" mΩ"})},
        {key = "resistance3_mohm", kind = "int", low = 0, high = 16777215, field = ProtoField.uint32("vsecc_uart.temperatures.resistance3_mohm", "resistance3_mohm", base.UNIT_STRING, {" mΩ"})},
        {key = "resistance4_mohm", kind = "int", low = 0, high = 16777215, field = ProtoField.uint32("vsecc_uart.temperatures.resistance4_mohm", "resistance4_mohm", base.UNIT_STRING, {" mΩ"})},
        {key = "resistance5_mohm", kind = "int", low = 0, high = 16777215, field = ProtoField.uint32("vsecc_uart.temperatures.resistance5_mohm", "resistance5_mohm", base.UNIT_STRING, {" mΩ"})},
        {key = "resistance6_mohm", kind = "int", low = 0, high = 16777215, field = ProtoField.uint32("vsecc_uart.temperatures.resistance6_mohm", "resistance6_mohm", base.UNIT_STRING, {" mΩ"})},
        {key = "resistance7_mohm", kind = "int", low = 0, high = 16777215, field = ProtoField.uint32("vsecc_uart.temperatures.resistance7_mohm", "resistance7_mohm", base.UNIT_STRING, {" mΩ"})},
        {key = "resistance8_mohm", kind = "int", low = 0, high = 16777215, field = ProtoField.uint32("vsecc_uart.temperatures.resistance8_mohm", "resistance8_mohm", base.UNIT_STRING, {" mΩ"})},
        {key = "resistance9_mohm", kind = "int", low = 0, high = 16777215, field = ProtoField.uint32("vsecc_uart.temperatures.resistance9_mohm", "resistance9_mohm", base.UNIT_STRING, {" mΩ"})},
        {key = "sensors_open", kind = "int", low = 0, high = 511, bits = {"T1", "T2", "T3", "T4", "T5", "T6", "T7", "T8", "T9"}, field = ProtoField.uint32("vsecc_uart.temperatures.sensors_open", "sensors_open", base.DEC)},
        {key = "sensors_short", kind = "int", low = 0, high = 511, bits = {"T1", "T2", "T3", "T4", "T5", "T6", "T7", "T8", "T9"}, field = ProtoField.uint32("vsecc_uart.temperatures.sensors_short", "sensors_short", base.DEC)},
        {key = "sensors_valid", kind = "int", low = 0, high = 511, bits = {"T1", "T2", "T3", "T4", "T5", "T6", "T7", "T8", "T9"}, field = ProtoField.uint32("vsecc_uart.temperatures.sensors_valid", "sensors_valid", base.DEC)},
    }},
    [10] = {name = "LOCK_STATE", from = "mcu", travel = "reliable", fields = {
        {key = "ticks_us", kind = "int", low = 0, high = 1073741823, field = ProtoField.uint32("vsecc_uart.lock_state.ticks_us", "ticks_us", base.UNIT_STRING, {" µs"})},
        {key = "port", kind = "int", low = 1, high = 2, field = ProtoField.uint32("vsecc_uart.lock_state.port", "port", base.DEC)},
        {key = "lock_state", kind = "int", low = 0, high = 4, names = {[0] = "unknown", [1] = "unlocked", [2] = "locked", [3] = "moving", [4] = "fault"}, field = ProtoField.uint32("vsecc_uart.lock_state.lock_state", "lock_state", base.DEC, {[0] = "unknown", [1] = "unlocked", [2] = "locked", [3] = "moving", [4] = "fault"})},
    }},
    [11] = {name = "BUTTON", from = "mcu", travel = "reliable", fields = {
        {key = "ticks_us", kind = "int", low = 0, high = 1073741823, field = ProtoField.uint32("vsecc_uart.button.ticks_us", "ticks_us", base.UNIT_STRING, {" µs"})},
        {key = "held_ms", kind = "int", low = 0, high = 65535, field = ProtoField.uint32("vsecc_uart.button.held_ms", "held_ms", base.UNIT_STRING, {" ms"})},
        {key = "pressed", kind = "bool", low = 0, high = 1, field = ProtoField.bool("vsecc_uart.button.pressed", "pressed")},
    }},
    [12] = {name = "OUTPUT_OVERLOAD", from = "mcu", travel = "reliable", fields = {
        {key = "ticks_us", kind = "int", low = 0, high = 1073741823, field = ProtoField.uint32("vsecc_uart.output_overload.ticks_us", "ticks_us", base.UNIT_STRING, {" µs"})},
        {key = "overloads", kind = "int", low = 0, high = 65535, bits = {"OUT1", "OUT2", "OUT3", "OUT4", "OUT5", "OUT6", "OUT7", "OUT8", "OUT9", "OUT10", "OUT11", "OUT12", "OUT13", "OUT14", "OUT15", "OUT16"}, field = ProtoField.uint32("vsecc_uart.output_overload.overloads", "overloads", base.DEC)},
    }},
    [13] = {name = "DEVICE_FAULT", from = "mcu", travel = "reliable", fields = {
        {key = "ticks_us", kind = "int", low = 0, high = 1073741823, field = ProtoField.uint32("vsecc_uart.device_fault.ticks_us", "ticks_us", base.UNIT_STRING, {" µs"})},
        {key = "device_fault", kind = "int", low = 0, high = 9, names = {[0] = "SUPPLY_LOW", [1] = "BROWN_OUT", [2] = "CONVERTER_DEAD", [3] = "TEMPERATURE_CONVERTER_DEAD", [4] = "EXPANDER_DEAD", [5] = "CALIBRATION_MISSING", [6] = "ADC_REFERENCE", [7] = "SAMPLING_STOPPED", [8] = "MEMORY_TEST", [9] = "IMAGE_HASH"}, field = ProtoField.uint32("vsecc_uart.device_fault.device_fault", "device_fault", base.DEC, {[0] = "SUPPLY_LOW", [1] = "BROWN_OUT", [2] = "CONVERTER_DEAD", [3] = "TEMPERATURE_CONVERTER_DEAD", [4] = "EXPANDER_DEAD", [5] = "CALIBRATION_MISSING", [6] = "ADC_REFERENCE", [7] = "SAMPLING_STOPPED", [8] = "MEMORY_TEST", [9] = "IMAGE_HASH"})},
        {key = "present", kind = "bool", low = 0, high = 1, field = ProtoField.bool("vsecc_uart.device_fault.present", "present")},
    }},
    [14] = {name = "CRASH", from = "mcu", travel = "reliable", fields = {
        {key = "ticks_us", kind = "int", low = 0, high = 1073741823, field = ProtoField.uint32("vsecc_uart.crash.ticks_us", "ticks_us", base.UNIT_STRING, {" µs"})},
        {key = "uptime_ms", kind = "int", low = 0, high = 4294967295, field = ProtoField.uint32("vsecc_uart.crash.uptime_ms", "uptime_ms", base.UNIT_STRING, {" ms"})},
        {key = "reset_cause", kind = "int", low = 0, high = 255, names = {[0] = "power-on", [1] = "watchdog", [2] = "commanded", [3] = "fatal error", [4] = "brown-out", [5] = "unknown"}, field = ProtoField.uint32("vsecc_uart.crash.reset_cause", "reset_cause", base.DEC, {[0] = "power-on", [1] = "watchdog", [2] = "commanded", [3] = "fatal error", [4] = "brown-out", [5] = "unknown"})},
        {key = "part", kind = "int", low = 1, high = 8, field = ProtoField.uint32("vsecc_uart.crash.part", "part", base.DEC)},
        {key = "parts", kind = "int", low = 1, high = 8, field = ProtoField.uint32("vsecc_uart.crash.parts", "parts", base.DEC)},
        {key = "text", kind = "text", low = 0, high = 120, field = ProtoField.string("vsecc_uart.crash.text", "text")},
    }},
    [32] = {name = "HELLO_REQUEST", from = "host", travel = "reliable", fields = {
        {key = "version_major", kind = "int", low = 0, high = 255, field = ProtoField.uint32("vsecc_uart.hello_request.version_major", "version_major", base.DEC)},
        {key = "version_minor", kind = "int", low = 0, high = 255, field = ProtoField.uint32("vsecc_uart.hello_request.version_minor", "version_minor", base.DEC)},
        {key = "catalogue_crc", kind = "int", low = 0, high = 4294967295, field = ProtoField.uint32("vsecc_uart.hello_request.catalogue_crc", "catalogue_crc", base.HEX)},
        {key = "host_version", kind = "text", low = 0, high = 32, field = ProtoField.string("vsecc_uart.hello_request.host_version", "host_version")},
    }},
    [33] = {name = "GRANT", from = "host", travel = "cyclic", fields = {
        {key = "stamp", kind = "int", low = 0, high = 65535, field = ProtoField.uint32("vsecc_uart.grant.stamp", "stamp", base.DEC)},
        {key = "relays", kind = "int", low = 0, high = 7, bits = {"REL1", "REL2", "REL3"}, field = ProtoField.uint32("vsecc_uart.grant.relays", "relays", base.DEC)},
        {key = "valid_ms", kind = "int", low = 0, high = 500, field = ProtoField.uint32("vsecc_uart.grant.valid_ms", "valid_ms", base.UNIT_STRING, {" ms"})},
    }},
    [34] = {name = "SET_PILOT", from = "host", travel = "reliable", fields = {
        {key = "port", kind = "int", low = 1, high = 2, field = ProtoField.uint32("vsecc_uart.set_pilot.port", "port", base.DEC)},
        {key = "mode", kind = "int", low = 0, high = 2, names = {[0] = "X1", [1] = "PWM", [2] = "F"}, field = ProtoField.uint32("vsecc_uart.set_pilot.mode", "mode", base.DEC, {[0] = "X1", [1] = "PWM", [2] = "F"})},
        {key = "duty_permille", kind = "int", low = 0, high = 1000, field = ProtoField.uint32("vsecc_uart.set_pilot.duty_permille", "duty_permille", base.UNIT_STRING, {" ‰"})},
    }},
    [35] = {name = "CLEAR_FAULTS", from = "host", travel = "reliable", fields = {
        {key = "port", kind = "int", low = 1, high = 2, field = ProtoField.uint32("vsecc_uart.clear_faults.port", "port", base.DEC)},
    }},
    [36] = {name = "SET_OUTPUTS", from = "host", travel = "reliable", fields = {
        {key = "mask", kind = "int", low = 0, high = 65535, field = ProtoField.uint32("vsecc_uart.set_outputs.mask", "mask", base.HEX)},
        {key = "values", kind = "int", low = 0, high = 65535, field = ProtoField.uint32("vsecc_uart.set_outputs.values", "values", base.HEX)},
    }},
    [37] = {name = "SET_LOCK", from = "host", travel = "reliable", fields = {
        {key = "port", kind = "int", low = 1, high = 2, field = ProtoField.uint32("vsecc_uart.set_lock.port", "port", base.DEC)},
        {key = "locked", kind = "bool", low = 0, high = 1, field = ProtoField.bool("vsecc_uart.set_lock.locked", "locked")},
    }},
    [38] = {name = "SET_LED", from = "host", travel = "reliable", fields = {
        {key = "led", kind = "int", low = 0, high = 3, field = ProtoField.uint32("vsecc_uart.set_led.led", "led", base.DEC)},
        {key = "pattern", kind = "int", low = 0, high = 4, names = {[0] = "off", [1] = "green flashing", [2] = "green", [3] = "red flashing", [4] = "red"}, field = ProtoField.uint32("vsecc_uart.set_led.pattern", "pattern", base.DEC, {[0] = "off", [1] = "green flashing", [2] = "green", [3] = "red flashing", [4] = "red"})},
    }},
    [39] = {name = "RESET", from = "host", travel = "reliable", fields = {
        {key = "confirm", kind = "int", low = 23294, high = 23294, field = ProtoField.uint32("vsecc_uart.reset.confirm", "confirm", base.HEX)},
    }},
}

-- What is below is the same for every catalogue.
-- CATALOGUE[id] = {name, from, travel, fields = {{key, kind, low, high, names, bits, field}, ...}}

local HEAD, CRC_SIZE, PAYLOAD_MAX = 11, 4, 241
local FRAME_TIMEOUT_S = 0.045
local KINDS = {[0] = "handshake", "reliable", "cyclic", "ack"}
local bits_of = bit or bit32

local pf = {
    noise = ProtoField.bytes("vsecc_uart.noise", "Bytes that are no frame"),
    length = ProtoField.uint8("vsecc_uart.length", "Payload length", base.UNIT_STRING, {" bytes"}),
    control = ProtoField.uint8("vsecc_uart.control", "Control", base.HEX),
    format = ProtoField.uint8("vsecc_uart.format", "Frame format", base.DEC, nil, 0xf0),
    missing = ProtoField.bool("vsecc_uart.missing", "MISSING", 8, nil, 0x08),
    kind = ProtoField.uint8("vsecc_uart.kind", "Kind", base.DEC, KINDS, 0x07),
    session = ProtoField.uint16("vsecc_uart.session", "Session", base.HEX),
    number = ProtoField.uint32("vsecc_uart.number", "Number", base.DEC),
    ack = ProtoField.uint8("vsecc_uart.ack", "Ack: next reliable number expected, low 8 bits", base.DEC),
    there = ProtoField.uint16("vsecc_uart.there", "Later numbers that have come, bit 0 = ack + 1", base.HEX),
    payload = ProtoField.bytes("vsecc_uart.payload", "Payload"),
    crc = ProtoField.uint32("vsecc_uart.crc", "CRC-32", base.HEX),
    crc_good = ProtoField.bool("vsecc_uart.crc.good", "CRC is right"),
    message = ProtoField.string("vsecc_uart.message", "Message"),
    from = ProtoField.string("vsecc_uart.from", "Sent by"),
    repeated = ProtoField.framenum("vsecc_uart.repeat_of", "First sent in frame", base.NONE, frametype.RETRANS_PREV),
}
local px = {
    crc = ProtoExpert.new("vsecc_uart.expert.crc", "CRC is wrong", expert.group.CHECKSUM, expert.severity.ERROR),
    bad = ProtoExpert.new("vsecc_uart.expert.bad", "no frame", expert.group.MALFORMED, expert.severity.ERROR),
    short = ProtoExpert.new("vsecc_uart.expert.short", "frame ends too early", expert.group.MALFORMED, expert.severity.ERROR),
    payload = ProtoExpert.new("vsecc_uart.expert.payload", "no message of the catalogue", expert.group.PROTOCOL, expert.severity.ERROR),
    range = ProtoExpert.new("vsecc_uart.expert.range", "out of range", expert.group.PROTOCOL, expert.severity.ERROR),
    catalogue = ProtoExpert.new("vsecc_uart.expert.catalogue", "another catalogue than this dissector's: do not believe what fields are called", expert.group.PROTOCOL, expert.severity.WARN),
    repeated = ProtoExpert.new("vsecc_uart.expert.repeat", "sent again", expert.group.SEQUENCE, expert.severity.NOTE),
    missing = ProtoExpert.new("vsecc_uart.expert.missing", "receiver misses frames", expert.group.SEQUENCE, expert.severity.WARN),
}

local vsecc = Proto("vsecc_uart", "vsecc link between MCU and host")
local all_fields = {}
for _, field in pairs(pf) do all_fields[#all_fields + 1] = field end
for _, message in pairs(CATALOGUE) do
    for _, field in ipairs(message.fields) do all_fields[#all_fields + 1] = field.field end
end
vsecc.fields = all_fields
local all_experts = {}
for _, one in pairs(px) do all_experts[#all_experts + 1] = one end
vsecc.experts = all_experts

local direction_of = Field.new("frame.packet_flags_direction")
local comment_of = Field.new("frame.comment")

-- What the first pass learnt: bytes carried into a packet, and the packet a repeated frame was first in.
local carried, repeats, pending, seen

function vsecc.init()
    carried, repeats, pending, seen = {}, {}, {}, {}
end

local crc_table = {}
for index = 0, 255 do
    local value = index
    for _ = 1, 8 do
        if value % 2 == 1 then
            value = bits_of.bxor(bits_of.rshift(value, 1), 0xEDB88320)
        else
            value = bits_of.rshift(value, 1)
        end
    end
    crc_table[index] = value
end

local function crc32(range)
    local bytes, value = range:bytes(), 0xFFFFFFFF
    for index = 0, bytes:len() - 1 do
        local low = bits_of.band(bits_of.bxor(value, bytes:get_index(index)), 0xFF)
        value = bits_of.bxor(bits_of.rshift(value, 8), crc_table[low])
    end
    return bits_of.bxor(value, 0xFFFFFFFF) % 0x100000000
end

-- CBOR: returns kind, value, offset behind it; kind nil and a reason when it is not in the subset.
local function cbor_head(buffer, at, limit)
    if at >= limit then return nil, "payload is cut short" end
    local first = buffer(at, 1):uint()
    local major, low = math.floor(first / 32), first % 32
    if major == 7 then
        if first == 0xf4 or first == 0xf5 then return "bool", first == 0xf5, at + 1 end
        if first == 0xf6 then return "null", nil, at + 1 end
        return nil, "float or unknown simple value"
    end
    local value, width = low, 0
    if low >= 24 then
        if low > 27 then return nil, "indefinite length" end
        width = 2 ^ (low - 24)
        if at + 1 + width > limit then return nil, "payload is cut short" end
        local range = buffer(at + 1, width)
        value = width == 8 and range:uint64():tonumber() or range:uint()
    end
    at = at + 1 + width
    if major == 0 then return "int", value, at end
    if major == 1 then return "int", -1 - value, at end
    if major == 4 then return "array", value, at end
    if major == 2 or major == 3 then
        if at + value > limit then return nil, "payload is cut short" end
        return major == 2 and "bytes" or "text", buffer(at, value), at + value
    end
    return nil, "map or tag"
end

local function bit_names(value, names)
    local found = {}
    for index, name in ipairs(names) do
        if math.floor(value / 2 ^ (index - 1)) % 2 == 1 then found[#found + 1] = name end
    end
    return #found > 0 and table.concat(found, "+") or "-"
end

-- Adds one field; returns its text for the info column.
local function add_field(tree, field, kind, value, range)
    if kind ~= field.kind then
        tree:add(pf.payload, range):add_proto_expert_info(px.payload, field.key .. " is a " .. kind .. ", not a " .. field.kind)
        return field.key .. "=?"
    end
    local item
    if kind == "text" then
        item = tree:add(field.field, value)
    elseif kind == "bytes" then
        item = tree:add(field.field, value)
    elseif kind == "bool" then
        item = tree:add(field.field, range, value)
    else
        item = tree:add(field.field, range, value)
    end
    local size = (kind == "text" or kind == "bytes") and value:len() or value
    if kind ~= "bool" and (size < field.low or size > field.high) then
        local what = kind == "int" and "" or "length "
        item:add_proto_expert_info(px.range, field.key .. ": " .. what .. size .. " not in " .. field.low .. ".." .. field.high)
    end
    if field.bits then
        local names = bit_names(value, field.bits)
        item:append_text(" (" .. names .. ")")
        return field.key .. "=" .. names
    end
    if field.names then return field.key .. "=" .. (field.names[value] or value) end
    if kind == "text" then return field.key .. "=" .. value:string() end
    if kind == "bytes" then return field.key .. "=" .. tostring(value:bytes()) end
    return field.key .. "=" .. tostring(value)
end

local function add_message(tree, buffer, at, limit, kind_name, from)
    local whole = buffer(at, limit - at)
    local function refuse(reason)
        tree:add(pf.payload, whole):add_proto_expert_info(px.payload, reason)
        return "(" .. reason .. ")"
    end
    local kind, count, next_at = cbor_head(buffer, at, limit)
    if kind ~= "array" or count < 1 then return refuse(kind and "payload is not a message" or count) end
    local id_kind, id, after = cbor_head(buffer, next_at, limit)
    if id_kind ~= "int" then return refuse(id_kind and "payload is not a message" or id) end
    local message = CATALOGUE[id]
    if not message then return refuse("unknown message " .. id) end
    local branch = tree:add(pf.message, whole, message.name)
    if message.from ~= from and from then
        branch:add_proto_expert_info(px.payload, message.name .. " from the wrong end")
    end
    if kind_name ~= "handshake" and message.travel ~= kind_name then
        branch:add_proto_expert_info(px.payload, message.name .. " in the wrong kind of frame")
    end
    if count ~= #message.fields + 1 then
        branch:add_proto_expert_info(px.payload, message.name .. ": wrong number of fields")
        return message.name
    end
    local texts = {}
    for _, field in ipairs(message.fields) do
        local value_kind, value, value_end = cbor_head(buffer, after, limit)
        if not value_kind or value_kind == "array" or value_kind == "null" then
            branch:add_proto_expert_info(px.payload, value_kind and (field.key .. ": wrong type") or value)
            return message.name
        end
        texts[#texts + 1] = add_field(branch, field, value_kind, value, buffer(after, value_end - after))
        after = value_end
    end
    if after ~= limit then branch:add_proto_expert_info(px.payload, "trailing bytes") end
    local info = message.name .. " " .. table.concat(texts, " ")
    local theirs = info:match("^HELLO%S* .*catalogue_crc=(%d+)")
    if theirs and tonumber(theirs) ~= CATALOGUE_CRC then
        branch:add_proto_expert_info(px.catalogue)
    end
    return info
end

local function note_repeat(pinfo, at, tree, from, session, number)
    local place = pinfo.number .. ":" .. at
    if not pinfo.visited then
        local key = (from or "?") .. ":" .. session .. ":" .. number
        if seen[key] then repeats[place] = seen[key] else seen[key] = pinfo.number end
    end
    if repeats[place] then
        tree:add(pf.repeated, repeats[place]):set_generated():add_proto_expert_info(px.repeated)
        return " [repeat]"
    end
    return ""
end

local function add_frame(buffer, at, size, pinfo, root, from)
    local control = buffer(at + 3, 1):uint()
    local kind = control % 8
    local kind_name = KINDS[kind] or ("kind " .. kind)
    local session, number = buffer(at + 4, 2):le_uint(), buffer(at + 6, 4):le_uint() % 0x40000000
    local ack = buffer(at + 10, 1):uint()
    local tree = root:add(vsecc, buffer(at, size), "vsecc " .. kind_name .. " " .. number)
    tree:add(pf.from, from or "?"):set_generated()
    tree:add(pf.length, buffer(at + 2, 1))
    local parts = tree:add(pf.control, buffer(at + 3, 1))
    parts:add(pf.format, buffer(at + 3, 1))
    parts:add(pf.missing, buffer(at + 3, 1))
    parts:add(pf.kind, buffer(at + 3, 1))
    tree:add_le(pf.session, buffer(at + 4, 2))
    tree:add_le(pf.number, buffer(at + 6, 4))
    tree:add(pf.ack, buffer(at + 10, 1))
    local limit = at + size - CRC_SIZE
    local told = buffer(limit, 4):le_uint()
    local crc_item = tree:add_le(pf.crc, buffer(limit, 4))
    local given = crc32(buffer(at + 2, size - 2 - CRC_SIZE))
    crc_item:add(pf.crc_good, given == told):set_generated()
    if given ~= told then
        local text = string.format("CRC %08x, the bytes give %08x", told, given)
        crc_item:add_proto_expert_info(px.crc, text)
        return "BAD " .. text
    end
    local info
    if kind == 3 then
        info = "ACK #" .. number .. " ack " .. ack
        if control % 16 >= 8 and size == HEAD + CRC_SIZE + 2 then
            tree:add_le(pf.there, buffer(at + HEAD, 2)):add_proto_expert_info(px.missing)
            info = info .. " missing " .. ack
        end
    else
        info = add_message(tree, buffer, at + HEAD, limit, kind_name, from)
    end
    if kind == 1 then info = info .. note_repeat(pinfo, at, tree, from, session, number) end
    tree:append_text(" " .. info)
    return info
end

local function find_sync(buffer, at, limit)
    while at < limit do
        if buffer(at, 1):uint() == 0xA5 and (at + 1 == limit or buffer(at + 1, 1):uint() == 0x5A) then return at end
        at = at + 1
    end
    return limit
end

-- Walks over the bytes; returns the texts and where an unfinished frame begins (or the end).
local function walk(buffer, limit, pinfo, root, from)
    local texts, at = {}, 0
    while at < limit do
        local begin = find_sync(buffer, at, limit)
        if begin > at then
            root:add(pf.noise, buffer(at, begin - at)):add_proto_expert_info(px.bad, "no frame begins here")
            texts[#texts + 1] = "NOISE " .. (begin - at) .. " bytes"
            at = begin
        end
        if limit - at < 4 then return texts, at end
        local length, control = buffer(at + 2, 1):uint(), buffer(at + 3, 1):uint()
        local size = length + HEAD + CRC_SIZE
        local after = find_sync(buffer, at + 1, limit)
        if length > PAYLOAD_MAX or math.floor(control / 16) ~= 1 then
            local reason = length > PAYLOAD_MAX and ("length " .. length .. " above 241") or "another frame format"
            root:add(pf.noise, buffer(at, after - at)):add_proto_expert_info(px.bad, reason)
            texts[#texts + 1] = "BAD " .. reason
            at = after
        elseif limit - at < size then
            return texts, at
        else
            local info = add_frame(buffer, at, size, pinfo, root, from)
            texts[#texts + 1] = info
            if info:sub(1, 3) == "BAD" then
                -- As the receivers do: search on one byte after the sync, unless the frame just ended there.
                at = (at + size == limit or find_sync(buffer, at + size, limit) == at + size) and at + size or after
            else
                at = at + size
            end
        end
    end
    return texts, at
end

-- A piece a recorder has judged: it stands alone, its comment says why.
local function spoilt(tvb, pinfo, root, comment)
    local item = root:add(vsecc, tvb(), "vsecc, bytes that are no good frame")
    item:add(pf.noise, tvb()):add_proto_expert_info(comment:match("^crc") and px.crc or comment:match("^short") and px.short or px.bad, comment)
    pinfo.cols.info = "BAD " .. comment
end

function vsecc.dissector(tvb, pinfo, root)
    local flag, remark = direction_of(), comment_of()
    local from = flag and ({"mcu", "host"})[tonumber(flag.value)] or nil
    pinfo.cols.protocol = "vsecc"
    if from then
        pinfo.cols.src, pinfo.cols.dst = from, from == "mcu" and "host" or "mcu"
    end
    local comment = remark and tostring(remark.value) or ""
    if comment:match("^crc: ") or comment:match("^short: ") or comment:match("^length: ") or comment:match("^format: ") or comment:match("^noise: ") then
        spoilt(tvb, pinfo, root, comment)
        return tvb:len()
    end
    local side, now = from or "?", pinfo.abs_ts
    if not pinfo.visited then
        local before = pending[side]
        if before and now - before.at <= FRAME_TIMEOUT_S then carried[pinfo.number] = before.bytes end
        pending[side] = nil
    end
    local buffer = tvb
    if carried[pinfo.number] then
        local bytes = ByteArray.new(tostring(carried[pinfo.number]))
        bytes:append(tvb:bytes())
        buffer = bytes:tvb("Frame put together")
    end
    local limit = buffer:len()
    local texts, rest = walk(buffer, limit, pinfo, root, from)
    if rest < limit then
        if not pinfo.visited then pending[side] = {bytes = buffer(rest, limit - rest):bytes(), at = now} end
        root:add(pf.noise, buffer(rest, limit - rest)):append_text(" (goes on in a later packet)")
        texts[#texts + 1] = "(" .. (limit - rest) .. " bytes of a frame that goes on)"
    end
    pinfo.cols.info = table.concat(texts, " | ")
    return tvb:len()
end

DissectorTable.get("wtap_encap"):add((wtap_encaps or wtap).USER0, vsecc)
