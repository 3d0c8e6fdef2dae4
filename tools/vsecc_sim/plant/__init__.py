"""Physics only: pilot line, proximity network, contacts."""
