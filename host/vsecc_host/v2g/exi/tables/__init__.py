"""Generated EXI tables, one module per schema set, loaded when first used."""
