"""Fault campaign of the MCU program: cases as data, run in exact virtual time, judged with bounds."""
