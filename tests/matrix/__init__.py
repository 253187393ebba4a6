"""How the tool does on what the lab plays, with all evidence and with less and less of it."""
