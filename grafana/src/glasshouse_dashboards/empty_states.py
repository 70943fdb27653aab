"""Panels that may be empty in a healthy stack, and why. Grafana shows the reason in their place.

The only list of them: tests allow no other panel to be empty.
"""

from typing import Final

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
    ("jobs", "Schedules"): "No job has a schedule.",
}
