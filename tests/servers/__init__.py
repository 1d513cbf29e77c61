"""Real servers for the tests, installed by the tests themselves; a missing one is a failure."""
