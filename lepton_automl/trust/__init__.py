"""What can be said about single answers of a finished model."""
