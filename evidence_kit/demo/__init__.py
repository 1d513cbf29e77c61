"""The example social network and time-stamping authority that the demo and the tests run."""
