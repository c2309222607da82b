"""Small inputs after what people really have: one file a group of kinds, one function a case."""
