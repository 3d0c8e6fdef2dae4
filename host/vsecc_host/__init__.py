"""The deciding half of vsecc: the host service of a DC charging station."""
