"""The only place that asks what time it is, so that everything else can be run at a fixed time."""

import os
from datetime import UTC, datetime

FIXED_NOW_VARIABLE = "INFERCOST_NOW"


def now() -> datetime:
    """Return the current time in UTC, or the ISO 8601 time in `INFERCOST_NOW` when that is set."""
    fixed = os.environ.get(FIXED_NOW_VARIABLE)
    if fixed:
        moment = datetime.fromisoformat(fixed)
        return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)
    return datetime.now(UTC)
