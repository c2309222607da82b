"""The systems that are compared on folders of photos, each in a process of its own."""
