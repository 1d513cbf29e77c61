"""Pure formats and cryptography: bytes in, verified values or findings out. No network, no clock."""
