"""Incidents that a lab can play: who calls when, what goes wrong, and therefore what the truth is."""
