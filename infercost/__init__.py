"""infercost: explain why an LLM inference bill changed, from logs that already exist."""

__version__ = "0.1.0"
