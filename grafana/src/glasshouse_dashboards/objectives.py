"""Made from prometheus/slos.yaml by `make rules`. Change it there."""

from typing import Final

SELECTORS: Final = {
    "api": 'service_name="backend-api",http_route!~"/(healthz|readyz|livez|metrics|jobs/status)"',
    "payments_ended": 'state=~"confirmed|failed"',
    "notifications_ended": 'status=~"delivered|failed"',
    "runs_ended": 'state=~"completed|failed"',
}
PERCENT: Final = {
    "api-availability": 99.9,
    "api-latency": 95,
    "payment-confirmation": 95,
    "notification-delivery": 99,
    "automation-sla": 99,
}
WITHIN_S: Final = {
    "api-latency": 0.5,
    "payment-confirmation": 120,
}
WITHIN: Final = {
    "api-latency": "500 ms",
    "payment-confirmation": "120 s",
}
BUCKET: Final = {
    "api-latency": 'le="0.5"',
    "payment-confirmation": 'le=~"120|120.0"',
}
