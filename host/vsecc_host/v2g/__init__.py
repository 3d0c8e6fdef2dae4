"""V2G communication with the car: SDP, V2GTP, EXI, handshake and the protocol machines."""
