"""Power electronics: the internal simulation (`PowerElectronics/Type` = Simulation)."""
