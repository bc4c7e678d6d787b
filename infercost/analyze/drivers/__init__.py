"""Splits the change of spend between two windows into drivers, exactly, on every leaf of the spend."""
