"""Calls another service with requests, in one go and as a stream."""

import os

import requests

SERVICE = os.environ["SERVICE_URL"]
REFUSED = "http://nora:hunter2@127.0.0.1:9/people/nora.lind@example.org"

session = requests.Session()
session.get(f"{SERVICE}/people?mail=nora.lind@example.org", timeout=10)
session.post(f"{SERVICE}/people", json={"mail": "nora.lind@example.org"}, timeout=10)
with session.get(f"{SERVICE}/stream", stream=True, timeout=10) as answer:
    print(sum(len(part) for part in answer.iter_content(64)))
try:
    session.get(REFUSED, timeout=10)
except requests.ConnectionError as error:
    print(type(error).__name__)
