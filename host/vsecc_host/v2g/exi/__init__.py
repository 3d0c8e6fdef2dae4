"""EXI codec of the V2G messages: bytes to typed messages and back."""
