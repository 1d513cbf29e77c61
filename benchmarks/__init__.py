"""Measurements: each compares, in one run, with what a user would use instead or with the limit."""
