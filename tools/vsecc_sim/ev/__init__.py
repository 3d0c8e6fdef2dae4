"""A simulated electric vehicle: own discovery client and session machine, habits of real cars."""
