"""Pure formats and cryptography: bytes in, verified values or findings out; no network or clock."""
