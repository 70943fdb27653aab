"""Orders, with Django: views and URLs. django_settings.py and django_manage.py go with it."""

import json
import logging
import os

import requests
from django.http import HttpRequest, JsonResponse
from django.urls import path
from django.views.decorators.http import require_safe

WAREHOUSE = os.environ.get("WAREHOUSE_URL", "http://127.0.0.1:9000")
logger = logging.getLogger(__name__)


@require_safe
def read_order(request: HttpRequest, order: str) -> JsonResponse:
    logger.warning("Order %s is read", order)
    requests.get(f"{WAREHOUSE}/stock/{order}", timeout=10)
    logger.getChild("stock").warning("Order %s is in stock", order)
    return JsonResponse({"order": order})


def create_order(request: HttpRequest) -> JsonResponse:
    return JsonResponse({"fields": len(json.loads(request.body))})


def invite(request: HttpRequest) -> JsonResponse:
    raise ValueError(f"cannot mail {request.GET['to']}")


urlpatterns = [
    path("orders/<order>", read_order),
    path("orders", create_order),
    path("invite", invite),
]
