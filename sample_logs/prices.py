"""List prices that the generator works with, frozen so that the same seed gives the same bytes for ever.

The figures are those of genai-prices 0.2.3 for every day of the sample; tests/test_sample_logs.py compares them.
"""

from dataclasses import dataclass

PICODOLLARS_PER_DOLLAR = 10**12


@dataclass(frozen=True)
class Tokens:
    """Tokens of one call in disjoint kinds."""

    uncached: int = 0
    read: int = 0
    write_5m: int = 0
    write_1h: int = 0
    text: int = 0
    reasoning: int = 0

    @property
    def prompt(self) -> int:
        """All input tokens, cache included."""
        return self.uncached + self.read + self.write_5m + self.write_1h

    @property
    def completion(self) -> int:
        """All output tokens, reasoning included."""
        return self.text + self.reasoning

    def by_kind(self) -> dict[str, int]:
        """Tokens under the kind names of infercost's schema."""
        return {
            "input_uncached": self.uncached,
            "cache_read": self.read,
            "cache_write_5m": self.write_5m,
            "cache_write_1h": self.write_1h,
            "output_text": self.text,
            "reasoning": self.reasoning,
        }


@dataclass(frozen=True)
class Rates:
    """Price of one model in picodollars per token (1 USD per million tokens = 1,000,000), and its place in the book."""

    provider: str
    model: str
    input: int
    read: int
    write_5m: int
    write_1h: int
    output: int

    def input_cost(self, tokens: Tokens) -> int:
        """Return the cost of the whole input, cache included, in picodollars."""
        return tokens.uncached * self.input + self.read_cost(tokens) + self.write_cost(tokens)

    def read_cost(self, tokens: Tokens) -> int:
        """Return the cost of the cache reads in picodollars."""
        return tokens.read * self.read

    def write_cost(self, tokens: Tokens) -> int:
        """Return the cost of the cache writes in picodollars."""
        return tokens.write_5m * self.write_5m + tokens.write_1h * self.write_1h

    def output_cost(self, tokens: Tokens) -> int:
        """Return the cost of the whole output, reasoning included, in picodollars."""
        return tokens.completion * self.output

    def cost(self, tokens: Tokens) -> int:
        """Return the cost of a call in picodollars."""
        return self.input_cost(tokens) + self.output_cost(tokens)


def _rates(provider: str, model: str, *dollars_per_million: str) -> Rates:
    """Return the rates for prices written as in the book: input, cache read, 5m write, 1h write, output."""
    return Rates(provider, model, *(_picodollars(price) for price in dollars_per_million))


def _picodollars(dollars_per_million: str) -> int:
    whole, _, fraction = dollars_per_million.partition(".")
    return int(whole) * 10**6 + int(fraction.ljust(6, "0"))


FREE = Rates("", "", 0, 0, 0, 0, 0)
"""A model that no price book knows: the gateway logs a cost of 0."""

GPT_MINI = _rates("openai", "gpt-5.4-mini", "0.75", "0.075", "0", "0", "4.5")
GPT_MID = _rates("openai", "gpt-5.4", "2.5", "0.25", "0", "0", "15")
GPT_FRONTIER = _rates("openai", "gpt-5.5", "5", "0.5", "0", "0", "30")
EMBEDDING = _rates("openai", "text-embedding-3-small", "0.02", "0", "0", "0", "0")
HAIKU = _rates("anthropic", "claude-haiku-4-5-20251001", "1", "0.1", "1.25", "2", "5")
SONNET = _rates("anthropic", "claude-sonnet-4-6", "3", "0.3", "3.75", "6", "15")
OPUS = _rates("anthropic", "claude-opus-4-8", "5", "0.5", "6.25", "10", "25")
FLASH_LITE = _rates("google", "gemini-2.5-flash-lite", "0.1", "0.01", "0", "0", "0.4")
BEDROCK_SONNET = _rates("aws", "us.anthropic.claude-sonnet-4-5-20250929-v1:0", "3.3", "0.33", "4.125", "6.6", "16.5")

BOOK = (GPT_MINI, GPT_MID, GPT_FRONTIER, EMBEDDING, HAIKU, SONNET, OPUS, FLASH_LITE, BEDROCK_SONNET)


def dollars(picodollars: int) -> str:
    """Return an amount as an exact decimal number of dollars."""
    sign = "-" if picodollars < 0 else ""
    whole, rest = divmod(abs(picodollars), PICODOLLARS_PER_DOLLAR)
    return f"{sign}{whole}.{rest:012d}"


def as_float(picodollars: int) -> float:
    """Return an amount as the float that a gateway logs."""
    return picodollars / PICODOLLARS_PER_DOLLAR
