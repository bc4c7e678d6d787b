"""From log files to committed attempts: find, identify, parse, map, check, attribute, price, commit."""
