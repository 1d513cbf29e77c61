"""Fuzzing: one target per parser, and the corpus that is kept."""
