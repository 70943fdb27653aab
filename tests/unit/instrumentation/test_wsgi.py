"""A request's path and query are recorded under every server of WSGI."""

import sys
from types import ModuleType
from typing import Any
from wsgiref.util import setup_testing_defaults

import pytest

from glasshouse.instrumentors import wsgi

# Instrumentations of WSGI are not among this environment's packages: a module stands in.
MODULE = "wsgi_stand_in"


def collect_request_attributes(environ: dict[str, Any], _mode: object = None) -> dict[str, Any]:
    """Do what upstream does with the stable names."""
    if not (environ.get("RAW_URI") or environ.get("REQUEST_URI")):
        return {}
    return {"url.path": environ["PATH_INFO"], "url.query": environ["QUERY_STRING"]}


@pytest.mark.parametrize("added", [{}, {"RAW_URI": "/orders/1?to=a"}, {"REQUEST_URI": ""}])
def test_the_path_is_recorded_and_the_environment_left(
    monkeypatch: pytest.MonkeyPatch, added: dict[str, str]
) -> None:
    module = ModuleType(MODULE)
    vars(module)["collect_request_attributes"] = collect_request_attributes
    monkeypatch.setitem(sys.modules, MODULE, module)
    wsgi.record_paths(MODULE)
    environ: dict[str, Any] = {"PATH_INFO": "/orders/1", "QUERY_STRING": "to=a", **added}
    setup_testing_defaults(environ)
    before = dict(environ)
    found = module.collect_request_attributes(environ, "http")
    assert found == {"url.path": "/orders/1", "url.query": "to=a"}
    assert environ == before
