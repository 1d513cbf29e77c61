"""Keep a web page as evidence: original data, signed and time-stamped, for police and court."""

__version__ = "0.1.0"
