"""The systems that are compared on tables, each in a process of its own."""
