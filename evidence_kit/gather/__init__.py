"""Everything that touches the outside: the browser, the network, the clock."""
