"""Calls of a served model by TensorFlow Serving's REST API. Needs no TensorFlow."""

from __future__ import annotations

import base64
import contextlib
import itertools
import json
import threading
import time
from collections.abc import Mapping, Sequence
from typing import Any

import requests
from urllib3.util import Timeout

from export.serving_error import ServingError, one_line

# What a server or a proxy before it says while it starts, stops or has too much to do.
_TRY_AGAIN = (429, 502, 503, 504)
_FIRST_PAUSE = 0.2  # seconds; each is twice the one before


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
          timeout: seconds in which an answer has to come, retries included.
          retries: times that a request is sent again where the server cannot be reached or says
            that it is busy, each after twice the time of the one before, whatever pause the server
            asks for.
        """
        self._address = f"{url.rstrip('/')}/v1/models/{model}:predict"
        self._timeout = timeout
        self._retries = retries
        self._session = requests.Session()

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
        try:
            body = json.dumps(
                {"signature_name": function, "inputs": _encoded(inputs)}, allow_nan=False
            )
        except ValueError as error:
            raise ServingError(f"{function}: numbers must be finite, which JSON wants") from error
        return _decoded(_outputs(self._answer(body)))

    def _answer(self, body: str) -> requests.Response:
        """The first answer that is not to be asked for again, read to its end."""
        deadline = time.monotonic() + self._timeout
        for attempt in itertools.count():
            pause = _FIRST_PAUSE * 2**attempt
            try:
                answer = self._sent(body, deadline)
                if answer.status_code not in _TRY_AGAIN or self._ends(attempt, pause, deadline):
                    break
            except requests.Timeout as error:
                raise self._too_slow() from error
            except requests.RequestException as error:
                self._seconds_until(deadline)
                if not _may_pass(error) or self._ends(attempt, pause, deadline):
                    told = one_line(str(error))
                    raise ServingError(f"cannot reach {self._address}: {told}") from error
            time.sleep(pause)
        return answer

    def _ends(self, attempt: int, pause: float, deadline: float) -> bool:
        """Whether there is no time for another attempt, or none is wanted."""
        return attempt >= self._retries or time.monotonic() + pause >= deadline

    def _sent(self, body: str, deadline: float) -> requests.Response:
        # Of connecting and reading together; the types of requests do not know that it takes one.
        timeout: Any = Timeout(total=self._seconds_until(deadline))
        answer = self._session.post(
            self._address,
            data=body,
            headers={"Content-Type": "application/json"},
            timeout=timeout,
            stream=True,
        )
        # That time-out is one of each read, and an answer may have many.
        end = threading.Timer(self._seconds_until(deadline), _cut_off, [answer])
        end.start()
        try:
            _ = answer.content  # which is kept
        finally:
            end.cancel()
        self._seconds_until(deadline)
        return answer

    def _seconds_until(self, deadline: float) -> float:
        left = deadline - time.monotonic()
        if left <= 0:
            raise self._too_slow()
        return left

    def _too_slow(self) -> ServingError:
        return ServingError(f"no answer from {self._address} within {self._timeout:g} s")

    def close(self) -> None:
        """Closes the connections."""
        self._session.close()


def _cut_off(answer: requests.Response) -> None:
    with contextlib.suppress(OSError, RuntimeError, ValueError):  # it came to its end by itself
        answer.raw.shutdown()


def _may_pass(error: requests.RequestException) -> bool:
    """Whether the same request may be answered a little later."""
    return isinstance(error, requests.ConnectionError) and not isinstance(
        error, requests.exceptions.SSLError
    )


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
