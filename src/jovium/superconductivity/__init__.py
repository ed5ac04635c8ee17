"""Critical temperatures suggested by published fits to the topology of the ELF."""
