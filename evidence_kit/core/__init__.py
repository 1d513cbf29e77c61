"""Ground floor: plain values that every other floor shares. No input or output, no clock."""
