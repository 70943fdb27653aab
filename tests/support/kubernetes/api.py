"""A client of an API server, of the little that tests ask for."""

import ssl
from pathlib import Path
from typing import Any, Final, Self

import httpx
import yaml

Document = dict[str, Any]
_APPLY: Final = "application/apply-patch+yaml"
_MERGE: Final = "application/strategic-merge-patch+json"
# A name that is not known is refused, not passed over.
_STRICT: Final = {"fieldManager": "tests", "fieldValidation": "Strict"}
_DRY: Final = {"dryRun": "All"}


class Refused(AssertionError):
    """What the API server did not take, or took with a warning: its own words."""


class Api:
    """Requests as who may do everything. Objects without a namespace go into `namespace`."""

    def __init__(self, url: str, authority: Path, token: str) -> None:
        self._client = httpx.Client(
            base_url=url,
            headers={"Authorization": f"Bearer {token}"},
            verify=ssl.create_default_context(cafile=str(authority)),
            timeout=60,
            trust_env=False,
        )
        self._resources: dict[str, dict[str, Document]] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._client.close()

    def get(self, path: str) -> httpx.Response:
        return self._client.get(path)

    def path(self, document: Document, namespace: str = "") -> str:
        """Where objects of this kind are.

        Raises Refused for a kind that the server does not serve.
        """
        version, kind = document["apiVersion"], document["kind"]
        root = f"/apis/{version}" if "/" in version else f"/api/{version}"
        if kind not in self._resources.get(version, {}):
            answer = self._client.get(root)
            if not answer.is_success:
                raise Refused(f"{version} {kind}: not served: {answer.text}")
            self._resources[version] = {
                one["kind"]: one for one in answer.json()["resources"] if "/" not in one["name"]
            }
        if kind not in self._resources[version]:
            raise Refused(f"{version} {kind}: not served")
        resource = self._resources[version][kind]
        within = f"/namespaces/{namespace}" if resource["namespaced"] else ""
        return f"{root}{within}/{resource['name']}"

    def apply(
        self,
        document: Document,
        namespace: str = "",
        *,
        dry: bool = False,
        warnings_are_errors: bool = True,
    ) -> Document:
        """Server-side apply, as `kubectl apply --server-side` does; return what it became.

        dry: the server does everything, admission included, but keep it. Raises Refused.
        """
        name = document["metadata"]["name"]
        answer = self._client.patch(
            f"{self.path(document, namespace)}/{name}",
            params={**_STRICT, **(_DRY if dry else {}), "force": "true"},
            content=yaml.safe_dump(document),
            headers={"Content-Type": _APPLY},
        )
        return _taken(answer, document, warnings_are_errors=warnings_are_errors)

    def create(self, document: Document, namespace: str = "", *, dry: bool = False) -> Document:
        """Make an object. Raises Refused."""
        answer = self._client.post(
            self.path(document, namespace),
            params={**_STRICT, **(_DRY if dry else {})},
            json=document,
        )
        return _taken(answer, document)

    def patch(self, document: Document, change: Document, namespace: str) -> Document:
        """What an object would become by a strategic merge patch, as of `kubectl patch`."""
        answer = self._client.patch(
            f"{self.path(document, namespace)}/{document['metadata']['name']}",
            params={**_STRICT, **_DRY},
            json=change,
            headers={"Content-Type": _MERGE},
        )
        return _taken(answer, document)

    def objects(self, kind: Document, namespace: str) -> list[Document]:
        """The objects of a kind, named by apiVersion and kind."""
        answer = self._client.get(self.path(kind, namespace))
        return _taken(answer, kind)["items"]


def _taken(
    answer: httpx.Response, document: Document, *, warnings_are_errors: bool = True
) -> Document:
    name = document.get("metadata", {}).get("name", "")
    if not answer.is_success:
        raise Refused(f"{document['kind']} {name}: {answer.status_code} {answer.json()['message']}")
    if warnings_are_errors and (warnings := answer.headers.get_list("warning")):
        raise Refused(f"{document['kind']} {name}: {warnings}")
    return answer.json()
