"""Mixed traffic for the stack on this machine, with a seeded schedule of faults."""
