"""Calls another service with urllib, and with urllib3."""

import os
import urllib.error
import urllib.request

import urllib3
from opentelemetry import trace

SERVICE = os.environ["SERVICE_URL"]

with trace.get_tracer("people").start_as_current_span("report"):
    address = f"{SERVICE}/people?mail=nora.lind@example.org"
    with urllib.request.urlopen(address, timeout=10) as answer:
        print(len(answer.read()))
    try:
        urllib.request.urlopen("http://127.0.0.1:9/nora.lind@example.org", timeout=1)
    except urllib.error.URLError as error:
        print(type(error).__name__)
    pool = urllib3.PoolManager()
    pool.request("POST", address, json={"mail": "nora.lind@example.org"})
    print(len(pool.request("GET", f"{SERVICE}/stream", preload_content=False).read()))
