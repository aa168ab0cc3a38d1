"""MLflow as the tracking server: over HTTP, or a SQLite file in its place.

Only the client of single requests is used: the fluent functions keep an active run and a clock of their own.
"""

import logging
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from endcap.core.errors import Code, StoreError
from endcap.stores.tracking import TrackedRun

__all__ = ["MlflowTracking"]

_VARIABLES = {
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "10",
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "0",
    "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",  # what is printed there may be wanted as JSON
}
"""What the client reads at each request, where the user says nothing. Seconds and repetitions stand for 120 and 7. No
repetition: a `create run` whose answer was lost would make a second run, while the next `put` finds the first one."""

_KEY, _CONTENT = "endcap.key", "endcap.content"

_MOST_NUMBERS, _MOST_WORDS = 500, 50
"""In one request; MLflow takes 1,000 numbers and 100 parameters, and 1,000 of all together."""

_LONGEST = 500
"""Characters of a value: what servers of all versions take."""

_LONGEST_ERROR = 200

_SILENCE = frozenset({"ConnectionError", "ConnectTimeout", "ReadTimeout", "SSLError", "MaxRetryError"})
"""What the client's libraries raise where nobody has answered, below the client's own error; by their names."""


class MlflowTracking:
    """Runs of one experiment.

    Args:
        uri: http://..., https://... or sqlite:///...; without credentials, which the client takes from the environment.
        experiment: Name of the experiment; it is made when it is not there.
    """

    def __init__(self, uri: str, experiment: str) -> None:
        self._uri = uri
        self._experiment = experiment
        self._client: Any = None
        self._experiment_id = ""

    @property
    def where(self) -> str:
        """The URI and the experiment."""
        return f"{self._uri}, experiment {self._experiment}"

    def put(self, run: TrackedRun) -> None:
        """Show a run; see the port."""
        with _variables():
            try:
                self._put(run)
            except Exception as error:
                raise self._told(error) from error

    def _put(self, run: TrackedRun) -> None:
        client = self._opened()
        from mlflow.entities import Metric, Param, RunTag  # noqa: PLC0415 - an extra, and seconds to load

        content, at_ms = run.content(), run.ended_at_us // 1000
        found = self._found(run)
        if found is not None and (found.info.lifecycle_stage == "deleted" or found.data.tags.get(_CONTENT) == content):
            return
        run_id = found.info.run_id if found is not None else self._made(run)
        params = [Param(_name(key), value[:_LONGEST]) for key, value in sorted(run.params.items())]
        tags = [RunTag(_name(key), value[:_LONGEST]) for key, value in sorted(run.tags.items())]
        numbers = [Metric(_name(each.name), each.value, at_ms, each.step) for each in run.measured]
        for start in range(0, len(params), _MOST_WORDS):
            client.log_batch(run_id, params=params[start : start + _MOST_WORDS])
        for start in range(0, len(numbers), _MOST_NUMBERS):
            client.log_batch(run_id, metrics=numbers[start : start + _MOST_NUMBERS])
        client.log_batch(run_id, tags=tags)
        client.set_terminated(run_id, end_time=at_ms)
        client.set_tag(run_id, _CONTENT, content)  # last: a run without it is not all there

    def _opened(self) -> Any:
        """Return the client, with the experiment there."""
        if self._client is None:
            os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")  # read while it is imported
            from mlflow import MlflowClient  # noqa: PLC0415 - likewise

            logging.getLogger("mlflow").setLevel(logging.WARNING)
            client = MlflowClient(tracking_uri=self._uri)
            known = client.get_experiment_by_name(self._experiment)
            self._experiment_id = known.experiment_id if known else client.create_experiment(self._experiment)
            self._client = client
        return self._client

    def _found(self, run: TrackedRun) -> Any:
        """Return the run if MLflow has it, also a deleted one."""
        from mlflow.entities import ViewType  # noqa: PLC0415 - likewise

        named = f"tags.`{_KEY}` = '{run.key}'"
        found = self._client.search_runs([self._experiment_id], named, ViewType.ALL, max_results=1)
        return found[0] if found else None

    def _made(self, run: TrackedRun) -> str:
        made = self._client.create_run(
            self._experiment_id, start_time=run.started_at_us // 1000, tags={_KEY: run.key}, run_name=run.name
        )
        return str(made.info.run_id)

    def _told(self, error: Exception) -> StoreError:
        """Tell an error of the client as ours: whether somebody answered decides what is to be done."""
        text = " ".join(str(error).split())[:_LONGEST_ERROR]
        silence = next((each for each in _causes(error) if type(each).__name__ in _SILENCE), None)
        if silence is None:
            return StoreError(
                f"MLflow does not take this run: {text}",
                where=self.where,
                fix="mend what it names, or name another experiment in [tracking]; then run the command again",
                code=Code.TRACKING_REFUSED,
            )
        return StoreError(
            f"MLflow does not answer ({type(silence).__name__})",
            where=self.where,
            fix="start the server, or correct tracking.mlflow; then run the command again",
            code=Code.TRACKING_UNREACHABLE,
        )


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    """Give an error and what led to it."""
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__


def _name(name: str) -> str:
    """Return a name of ours as MLflow takes it.

    >>> _name("test/ndcg@10")
    'test/ndcg_at_10'
    """
    return re.sub(r"[^\w\-. :/]", "_", name.replace("@", "_at_"))


@contextmanager
def _variables() -> Iterator[None]:
    """Have the client wait for a bounded time and print nothing, for the length of the block."""
    ours = {name: value for name, value in _VARIABLES.items() if name not in os.environ}
    os.environ.update(ours)
    try:
        yield
    finally:
        for name in ours:
            os.environ.pop(name, None)
