"""Calls of a served model by TensorFlow Serving's REST API. Needs no TensorFlow."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from typing import Any

import requests
from requests.adapters import HTTPAdapter
from urllib3.util import Retry

from export.serving_error import ServingError, one_line

# What a server or a proxy before it says while it starts, stops or has too much to do.
_TRY_AGAIN = (429, 502, 503, 504)


class RestClient:
    """One model behind one address.

    Every function of a model depends on what it is sent alone, so that a request may be sent twice.
    """

    def __init__(
        self, url: str, model: str = "bplf", timeout: float = 10.0, retries: int = 3
    ) -> None:
        """Prepares; nothing is sent.

        Args:
          url: of the server, such as http://localhost:8501.
          model: its name there.
          timeout: seconds to wait for a connection, and for an answer.
          retries: times that a request is sent again where the server cannot be reached or says
            that it is busy, each after twice the time of the one before.
        """
        self._address = f"{url.rstrip('/')}/v1/models/{model}:predict"
        self._timeout = timeout
        again = Retry(
            total=retries,
            read=False,  # who waited in vain once does not want to wait three times more
            backoff_factor=0.2,
            status_forcelist=_TRY_AGAIN,
            allowed_methods=None,
            raise_on_status=False,
        )
        self._session = requests.Session()
        for scheme in ("http://", "https://"):
            self._session.mount(scheme, HTTPAdapter(max_retries=again))

    def predict(self, function: str, inputs: Mapping[str, Sequence[Any]]) -> Any:
        """Calls a function of the model.

        Args:
          function: its name (signature).
          inputs: a list of rows for each input; bytes go as base64.

        Returns:
          The output, or a dictionary where there are several; bytes where the name ends in
          `_bytes`.

        Raises:
          ServingError: no answer, or an error in the server's words.
        """
        body = {"signature_name": function, "inputs": _encoded(inputs)}
        try:
            answer = self._session.post(self._address, json=body, timeout=self._timeout)
        except requests.Timeout as error:
            raise ServingError(
                f"no answer from {self._address} within {self._timeout:g} s"
            ) from error
        except requests.RequestException as error:
            raise ServingError(f"cannot reach {self._address}: {one_line(str(error))}") from error
        return _decoded(_outputs(answer))

    def close(self) -> None:
        """Closes the connections."""
        self._session.close()


def _outputs(answer: requests.Response) -> Any:
    try:
        content = answer.json()
    except ValueError:
        content = None
    if not isinstance(content, dict):
        told = one_line(answer.text) or "nothing"
        raise ServingError(
            f"{answer.url} answered {answer.status_code} {answer.reason} with what is no answer of "
            f"TensorFlow Serving: {told}"
        )
    if answer.ok and "outputs" in content:
        return content["outputs"]
    raise ServingError(
        f"the server refused: {one_line(str(content.get('error', answer.reason)))} "
        f"({answer.status_code})"
    )


def _encoded(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {name: _encoded(one) for name, one in value.items()}
    if isinstance(value, list | tuple):
        return [_encoded(one) for one in value]
    if isinstance(value, bytes):
        return {"b64": base64.b64encode(value).decode()}
    return value


def _decoded(value: Any) -> Any:
    if isinstance(value, dict):
        if set(value) == {"b64"}:
            try:
                return base64.b64decode(value["b64"], validate=True)
            except ValueError as error:
                raise ServingError("the server answered with broken base64") from error
        return {name: _decoded(one) for name, one in value.items()}
    return [_decoded(one) for one in value] if isinstance(value, list) else value
