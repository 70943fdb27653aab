"""Panels that may be empty in a healthy stack, and why. Grafana shows the reason in their place.

The only list of them: tests allow no other panel to be empty.
"""

from typing import Final

_NO_REQUESTS: Final = (
    "No request metrics: see the spans below. http.server.request.duration or "
    "rpc.server.call.duration would fill this."
)
_NO_SPANS: Final = "No spans of this service in the chosen time."
_NO_RUNTIME: Final = "This service sends no such runtime metric."

# (dashboard's uid, panel's title): reason
EMPTY_REASONS: Final = {
    ("logs", "Errors"): "No errors in the chosen time.",
    ("logs", "Warnings"): "No warnings in the chosen time.",
    ("slos", "Burn alerts"): "No error budget burns too fast.",
    ("postgres", "Errors"): "No statement failed in the chosen time.",
    ("pipeline", "Dropped: why"): "Nothing was dropped in the chosen time.",
    ("pipeline", "Given up by services: why"): "No service gave anything up in the chosen time.",
    ("pipeline", "Set aside: why"): "Nothing was set aside in the chosen time.",
    ("pipeline", "Repaired by reason"): "Nothing had to be repaired in the chosen time.",
    ("pipeline", "Not as sent: where"): "All was stored as it was sent in the chosen time.",
    ("pipeline", "Redacted by rule"): "Redaction found nothing in the chosen time.",
    ("pipeline", "Redacted: where"): "Redaction found nothing in the chosen time.",
    ("collectors", "Refused"): "No Collector refused anything in the chosen time.",
    ("collectors", "Given up"): "Nothing was given up in the chosen time.",
    ("collectors", "Waiting in Kafka, by topic"): "No gateway reads from Kafka.",
    ("jobs", "Schedules"): "No job has a schedule.",
    ("services", "Old names"): "All services send the stable names.",
    **{
        ("service", title): _NO_REQUESTS
        for title in (
            "Requests",
            "Without server error",
            "Fast enough",
            "95th percentile",
            "Budget left: errors",
            "Budget left: too slow",
            "Rate by route",
            "Server errors by route",
            "Duration",
            "Burn rate",
            "Routes",
            "Duration by route, 95th percentile",
            "By status",
        )
    },
    ("service", "Called by"): "Nobody whose spans are here called it in the chosen time.",
    (
        "service",
        "Calls to",
    ): 'Nobody that it called sends spans. See "Calls in spans" for addresses.',
    **{
        ("service", title): "No calls that http.client.request.duration measures."
        for title in (
            "Calls by peer",
            "Failed calls by peer",
            "Duration by peer, 95th percentile",
        )
    },
    ("service", "Database calls"): "No calls that db.client.operation.duration measures.",
    ("service", "Database errors"): "No database call failed in the chosen time.",
    ("service", "Database duration, 95th percentile"): (
        "No calls that db.client.operation.duration measures."
    ),
    **{
        ("service", title): _NO_RUNTIME
        for title in ("Processor", "Memory", "Threads and files", "Garbage collections", "Pauses")
    },
    ("service", "Spans answered"): _NO_SPANS,
    ("service", "Duration of spans answered"): _NO_SPANS,
    ("service", "Calls in spans"): "No span of a call in the chosen time.",
    ("service", "Failed spans"): "No span failed in the chosen time.",
    ("service", "Failed traces"): "No span failed in the chosen time.",
    ("service", "Slow traces"): "Nothing took that long in the chosen time.",
    ("service", "Lines by severity"): "No lines of this service in the chosen time.",
    ("service", "Errors and warnings"): "No errors and no warnings in the chosen time.",
    ("service", "Lines"): "No such lines of this service in the chosen time.",
}
