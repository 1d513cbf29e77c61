"""The command line: parse, one call into ``jobs``, print."""
