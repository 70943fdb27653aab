"""Calls another service with requests, in one go and as a stream."""

import os

import requests
from opentelemetry import trace

SERVICE = os.environ["SERVICE_URL"]

with trace.get_tracer("people").start_as_current_span("report"):
    session = requests.Session()
    session.get(f"{SERVICE}/people?mail=nora.lind@example.org", timeout=10)
    session.post(f"{SERVICE}/people", json={"mail": "nora.lind@example.org"}, timeout=10)
    with session.get(f"{SERVICE}/stream", stream=True, timeout=10) as answer:
        print(sum(len(part) for part in answer.iter_content(64)))
    try:
        session.get("http://nora:hunter2@127.0.0.1:9/nora.lind@example.org", timeout=1)
    except requests.ConnectionError as error:
        print(type(error).__name__)
