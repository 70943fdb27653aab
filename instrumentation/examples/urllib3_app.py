"""Calls another service with urllib3, in one go and as a stream."""

import os

import urllib3

SERVICE = os.environ["SERVICE_URL"]
REFUSED = "http://nora:hunter2@127.0.0.1:9/people/nora.lind@example.org"

pool = urllib3.PoolManager(retries=False)
pool.request("GET", f"{SERVICE}/people?mail=nora.lind@example.org")
pool.request("POST", f"{SERVICE}/people", json={"mail": "nora.lind@example.org"})
answer = pool.request("GET", f"{SERVICE}/stream", preload_content=False)
print(sum(len(part) for part in answer.stream(64)))
try:
    pool.request("GET", REFUSED)
except urllib3.exceptions.NewConnectionError as error:
    print(type(error).__name__)
