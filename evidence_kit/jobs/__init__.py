"""What a user asks for: one module per job, usable without the command line."""
