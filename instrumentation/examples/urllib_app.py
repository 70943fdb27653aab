"""Calls another service with urllib."""

import json
import os
import urllib.error
import urllib.request

SERVICE = os.environ["SERVICE_URL"]
REFUSED = "http://127.0.0.1:9/people/nora.lind@example.org?password=hunter2"

urllib.request.urlopen(f"{SERVICE}/people?mail=nora.lind@example.org", timeout=10).close()
body = json.dumps({"mail": "nora.lind@example.org"}).encode()
urllib.request.urlopen(f"{SERVICE}/people", data=body, timeout=10).close()
with urllib.request.urlopen(f"{SERVICE}/stream", timeout=10) as answer:
    print(sum(len(part) for part in iter(lambda: answer.read(64), b"")))
try:
    urllib.request.urlopen(REFUSED, timeout=10)
except urllib.error.URLError as error:
    print(type(error).__name__)
