"""Incidents with known causes, played through the whole of infercost: logs in, drivers of the change out."""
