"""Draws a check for programs: JSON, JUnit XML, GitHub annotations, Prometheus text, and what webhooks are sent."""

import json
import re
from collections.abc import Callable
from typing import Any
from xml.etree import ElementTree

from infercost.analyze.findings import Checked, Finding, News, Outcome
from infercost.render import check
from infercost.render import format as fmt
from infercost.render.json import document_text, plain

FORMAT_VERSION = 1
"""Version of the JSON document; a change that a reader must know of makes it larger."""

_XML_FORBIDDEN = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def json_text(made: Checked) -> str:
    """Return a check as JSON: every figure of it, under a `format_version`."""
    return document_text({"format_version": FORMAT_VERSION, "is_alarm": made.is_alarm, **plain(made)})


def junit_text(made: Checked) -> str:
    """Return a check as JUnit XML: a case a finding; what fired is a failure, what could not be told is skipped."""
    fired = [each for each in made.of(Outcome.FIRED) if not check.is_minor(each)]
    suite = ElementTree.Element(
        "testsuite",
        name="infercost check",
        tests=str(len(made.findings)),
        failures=str(len(fired)),
        errors="0",
        skipped=str(len(made.of(Outcome.UNKNOWN))),
        timestamp=made.checked_at.isoformat(),
    )
    for finding in made.findings:
        case = ElementTree.SubElement(
            suite, "testcase", classname=f"infercost.{finding.kind}", name=_xml(finding.title)
        )
        text = _xml(check.line(finding, made.zone))
        if finding in fired:
            failure = ElementTree.SubElement(case, "failure", message=text, type=finding.news or Outcome.FIRED)
            failure.text = _xml(check.cause_line(finding.causes))
        elif finding.outcome is Outcome.UNKNOWN:
            ElementTree.SubElement(case, "skipped", message=text)
        elif finding.outcome is Outcome.FIRED:
            ElementTree.SubElement(case, "system-out").text = text
    return ElementTree.tostring(suite, encoding="unicode", xml_declaration=True) + "\n"


def _xml(text: str) -> str:
    return _XML_FORBIDDEN.sub("\N{REPLACEMENT CHARACTER}", text)


def github_text(made: Checked) -> str:
    """Return a check as workflow commands of GitHub Actions, which become annotations.

    https://docs.github.com/actions/reference/workflow-commands-for-github-actions
    """
    lines = []
    for finding in check.shown(made):
        is_error = finding.outcome is Outcome.FIRED and not check.is_minor(finding) and finding.news is not News.ONGOING
        text = check.line(finding, made.zone)
        if causes := check.cause_line(finding.causes):
            text += f"\n{causes}"
        title = _escaped(fmt.clean(finding.title)).replace(":", "%3A").replace(",", "%2C")
        lines.append(f"::{'error' if is_error else 'warning'} title=infercost {title}::{_escaped(text)}")
    lines += [f"::notice title=infercost::{_escaped(check.line(each, made.zone))}" for each in made.over]
    return "\n".join([*lines, check.summary(made)]) + "\n"


def _escaped(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def prometheus_text(made: Checked) -> str:
    """Return a check as gauges for node_exporter's textfile collector.

    https://prometheus.io/docs/instrumenting/exposition_formats/
    """
    by_finding = {"check": lambda each: each.title, "kind": lambda each: each.kind}
    lines = [
        *_gauge("infercost_check_timestamp_seconds", "When the check ran.", [({}, made.checked_at.timestamp())]),
        *_gauge(
            "infercost_check_fired",
            "1 = fired, 0 = fine; a check that could not tell has no sample.",
            [
                (_labels(each, by_finding), float(each.outcome is Outcome.FIRED))
                for each in made.findings
                if each.outcome is not Outcome.UNKNOWN
            ],
        ),
        *_gauge("infercost_check_unknown", "Checks that could not tell.", [({}, float(len(made.of(Outcome.UNKNOWN))))]),
        *_gauge(
            "infercost_check_value",
            "Value that was checked, in its unit.",
            [
                (_labels(each, {**by_finding, "unit": lambda item: item.unit}), each.value)
                for each in made.findings
                if each.value is not None
            ],
        ),
        *_gauge(
            "infercost_check_dollars_per_day",
            "What a check that fired costs now, US dollars a day.",
            [
                (_labels(each, by_finding), float(each.dollars_per_day))
                for each in made.findings
                if each.dollars_per_day is not None
            ],
        ),
        *_gauge(
            "infercost_budget_used_ratio",
            "Part of a budget that its period has used.",
            [({"budget": use.name, "period": use.period}, use.used_ratio) for use in made.budgets],
        ),
    ]
    if made.newest is not None:
        lines += _gauge(
            "infercost_newest_attempt_timestamp_seconds",
            "Start of the newest attempt.",
            [({}, made.newest.timestamp())],
        )
    return "\n".join(lines) + "\n"


def _labels(finding: Finding, names: dict[str, Callable[[Finding], str]]) -> dict[str, str]:
    return {name: value(finding) for name, value in names.items()}


def _gauge(name: str, what: str, samples: list[tuple[dict[str, str], float]]) -> list[str]:
    """Return one gauge; of samples with the same labels only the first is written, as no two may be alike."""
    found: dict[str, str] = {}
    for labels, value in samples:
        inside = ",".join(f'{label}="{_label(text)}"' for label, text in labels.items())
        found.setdefault(f"{name}{{{inside}}}" if inside else name, f"{value!r}")
    return [f"# HELP {name} {what}", f"# TYPE {name} gauge", *(f"{key} {value}" for key, value in found.items())]


def _label(text: str) -> str:
    return fmt.clean(text).replace("\\", "\\\\").replace('"', '\\"')


def slack_payload(made: Checked) -> str:
    """Return what a Slack-compatible webhook is sent: the summary and a line a finding, as plain text in blocks."""
    lines = []
    for finding in [*check.shown(made), *made.over]:
        lines.append(f"• {_slack(check.line(finding, made.zone))}")
        lines += [f"    {_slack(causes)}"] if (causes := check.cause_line(finding.causes)) else []
    head = _slack(check.summary(made))
    body = "\n".join(lines)[:_SLACK_TEXT]
    blocks: list[dict[str, Any]] = [{"type": "section", "text": {"type": "mrkdwn", "text": f"*infercost*: {head}"}}]
    blocks += [{"type": "section", "text": {"type": "mrkdwn", "text": body}}] if body else []
    return json.dumps({"text": f"infercost: {head}", "blocks": blocks})


_SLACK_TEXT = 2900
"""Characters of one block of text; Slack refuses more than 3,000."""


def _slack(text: str) -> str:
    """Return text in which nothing is a link, a mention or markup to Slack.

    https://docs.slack.dev/messaging/formatting-message-text
    """
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


FILES: dict[str, Callable[[Checked], str]] = {
    "terminal": check.terminal_text,
    "json": json_text,
    "markdown": check.markdown_text,
    "junit": junit_text,
    "github": github_text,
    "prometheus": prometheus_text,
}
"""Every form that a check is written in."""
