"""The whole station simulated: real host, real MCU firmware, a car per outlet, a control API."""
