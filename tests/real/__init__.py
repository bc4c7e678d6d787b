"""Real programs, installed for the test, write the logs; what infercost makes of them is held against the truth."""
