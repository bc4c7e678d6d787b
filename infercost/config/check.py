"""The section `[check]` of infercost.toml: limits, what is watched, and whom to tell."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from infercost import schema
from infercost.config.limits import Limit, read_limit
from infercost.config.reader import Reader

SLACK, GENERIC = "slack", "generic"
"""Forms of what a webhook is sent."""

DEFAULT_MAX_AGE = timedelta(hours=6)


@dataclass(frozen=True)
class Webhook:
    """Whom to tell by HTTP POST, and in which form."""

    url: str
    form: str = GENERIC


@dataclass(frozen=True)
class Check:
    """What `infercost check` does.

    Signals are watched for everything and for each value of the columns `by`. Where the newest attempt is older than
    `max_age`, nothing can be told.
    """

    limits: tuple[Limit, ...] = ()
    signals: bool = True
    by: tuple[str, ...] = ("feature",)
    max_age: timedelta = DEFAULT_MAX_AGE
    webhooks: tuple[Webhook, ...] = ()


def read_check(reader: Reader, document: Mapping[str, Any]) -> Check:
    """Return the section, with defaults where it says nothing; raises ConfigError that says what is allowed."""
    table = reader.table(document, "check", ("limits", "signals", "by", "max_age_hours", "webhooks"))
    limits = [read_limit(reader, text, "check.limits") for text in reader.texts(table, "limits", "check")]
    by = reader.texts(table, "by", "check") if "by" in table else ["feature"]
    for name in by:
        if name not in schema.DIMENSIONS:
            raise reader.fail("check.by", f"{name!r} is no dimension; allowed: {', '.join(schema.DIMENSIONS)}")
    hours = reader.integer(table, "max_age_hours", "check", least=1) if "max_age_hours" in table else None
    return Check(
        limits=tuple(limits),
        signals=reader.flag(table, "signals", "check", default=True),
        by=tuple(by),
        max_age=timedelta(hours=hours) if hours else DEFAULT_MAX_AGE,
        webhooks=tuple(_webhook(reader, item) for item in reader.items(table, "webhooks", "check.webhooks")),
    )


def _webhook(reader: Reader, item: Mapping[str, Any]) -> Webhook:
    reader.only(item, ("url", "form"), "check.webhooks")
    url = reader.required_text(item, "url", "check.webhooks")
    form = item.get("form", GENERIC)
    if not url.startswith(("http://", "https://")):
        raise reader.fail("check.webhooks.url", "must begin with https:// or http://")
    if form not in (SLACK, GENERIC):
        raise reader.fail("check.webhooks.form", f"{form!r} is not one of {SLACK}, {GENERIC}")
    return Webhook(url, form)
