"""Development tool: XML schemas of the V2G protocols in, typed message classes and EXI tables out."""
