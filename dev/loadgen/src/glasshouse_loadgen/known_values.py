"""Values of fields that code knows. Made from `telemetry/` by `make telemetry`."""

from enum import StrEnum


class AutomationStrategy(StrEnum):
    """`automation.strategy`. Others may occur, too."""

    DCA = "dca"
    NIGHTLY_REPORT = "nightly_report"
    REBALANCE = "rebalance"
    STOP_LOSS = "stop_loss"


class AutomationState(StrEnum):
    """`automation.state`."""

    REQUESTED = "requested"
    COMPLETED = "completed"
    FAILED = "failed"


class JobName(StrEnum):
    """`job.name`. Others may occur, too."""

    CONFIRM_PAYMENT = "confirm_payment"
    DELIVER_NOTIFICATION = "deliver_notification"
    RUN_AUTOMATION = "run_automation"
    RUN_SCHEDULED_AUTOMATION = "run_scheduled_automation"
    SWEEP_PAYMENTS = "sweep_payments"


class JobOutcome(StrEnum):
    """`job.outcome`."""

    SUCCEEDED = "succeeded"
    FAILED = "failed"
    RETRIED = "retried"
    ABORTED = "aborted"


class NotificationChannel(StrEnum):
    """`notification.channel`. Others may occur, too."""

    EMAIL = "email"
    PUSH = "push"
    SMS = "sms"


class NotificationTemplate(StrEnum):
    """`notification.template`. Others may occur, too."""

    PAYMENT_CONFIRMED = "payment_confirmed"
    PAYMENT_FAILED = "payment_failed"
    RUN_COMPLETED = "run_completed"
    WELCOME = "welcome"


class NotificationDeliveryStatus(StrEnum):
    """`notification.delivery_status`."""

    QUEUED = "queued"
    DELIVERED = "delivered"
    FAILED = "failed"


class PaymentCurrency(StrEnum):
    """`payment.currency`. Others may occur, too."""

    EUR = "EUR"
    GBP = "GBP"
    JPY = "JPY"
    USD = "USD"


class PaymentState(StrEnum):
    """`payment.state`."""

    CREATED = "created"
    SUBMITTED = "submitted"
    CONFIRMED = "confirmed"
    FAILED = "failed"
