"""The broker's HTTP API in Python: topics, records, groups, faults, clock, snapshots. docs/http-api.md says more."""

from __future__ import annotations

import base64
import json
import urllib.error
import urllib.parse
import urllib.request
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, Dict, Iterable, List, Mapping, Optional, Tuple, Union

Duration = Union[float, timedelta]  # seconds, or a timedelta
Content = Union[bytes, str, None]

# No proxy: the broker is on this machine.
_opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))


class Problem(Exception):
    """What the broker could not do, and what to do about it."""

    def __init__(self, status: int, detail: str, remedy: str = "", code: str = "") -> None:
        super().__init__(f"{detail} {remedy}".strip())
        self.status = status
        self.detail = detail
        self.remedy = remedy
        self.code = code  # Kafka's name of the error, if it is one


@dataclass
class Record:
    """A record of a topic. None is Kafka's null."""

    value: Optional[bytes] = None
    key: Optional[bytes] = None
    headers: List[Tuple[str, Optional[bytes]]] = field(default_factory=list)
    partition: int = -1
    offset: int = -1
    timestamp: str = ""

    def json(self) -> Any:
        """The value, read as JSON."""
        return json.loads(self.value or b"null")


@dataclass
class Fault:
    """A fault in place."""

    id: int
    sentence: str
    _api: "Api"

    @property
    def hits(self) -> int:
        """How many requests it has hit."""
        return int(self._api.call("GET", f"/faults/{self.id}")["hits"])

    def wait(self, hits: int = 1, timeout: Duration = 10.0) -> None:
        """Wait until it has hit so many requests."""
        self._api.wait(f"/faults/{self.id}/wait", timeout, hits=hits)

    def release(self) -> None:
        """Open the gate of a hold."""
        self._api.call("POST", f"/faults/{self.id}/release")

    def remove(self) -> None:
        """Take it away. That it never happened is then no failure."""
        self._api.call("DELETE", f"/faults/{self.id}")


class Api:
    """Control of one broker."""

    def __init__(self, url: str) -> None:
        self.url = url.rstrip("/")

    def call(self, method: str, path: str, body: Any = None, timeout: float = 30.0) -> Any:
        """Ask for an operation of the HTTP API, such as call("GET", "/topics")."""
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(f"{self.url}/api/v1{path}", data, {"Content-Type": "application/json"}, method=method)
        try:
            with _opener.open(request, timeout=timeout) as answer:
                text = answer.read()
        except urllib.error.HTTPError as error:
            raise _problem(error) from None
        return json.loads(text) if text else None

    def wait(self, path: str, timeout: Duration, **query: Any) -> Any:
        """Ask for what is answered when it has come about."""
        query["timeout"] = _duration(timeout)
        given = {name: value for name, value in query.items() if value is not None}
        return self.call("GET", f"{path}?{urllib.parse.urlencode(given)}", timeout=_seconds(timeout) + 30)

    # Topics and records.

    def create_topic(self, name: str, partitions: int = 0, configs: Optional[Mapping[str, str]] = None) -> None:
        self.call("POST", "/topics", {"name": name, "partitions": partitions, "configs": dict(configs or {})})

    def delete_topic(self, name: str) -> None:
        self.call("DELETE", f"/topics/{_quote(name)}")

    def topics(self) -> List[str]:
        """The names of all topics but the broker's own."""
        return [topic["name"] for topic in self.call("GET", "/topics")["topics"]]

    def produce(self, topic: str, value: Content = None, key: Content = None, headers: Iterable[Tuple[str, Content]] = (), partition: Optional[int] = None) -> Tuple[int, int]:
        """Put a record in without a client; returns its partition and offset."""
        record: Dict[str, Any] = {**_content("key", key), **_content("value", value)}
        record["headers"] = [{"key": name, **_content("value", of)} for name, of in headers]
        if partition is not None:
            record["partition"] = partition
        stored = self.call("POST", f"/topics/{_quote(topic)}/records", {"records": [record]})["stored"][0]
        return stored["partition"], stored["offset"]

    def records(self, topic: str, committed: bool = False) -> List[Record]:
        """All records of a topic, partition by partition; with committed, without those of open and aborted
        transactions."""
        isolation = "read_committed" if committed else "read_uncommitted"
        found: List[Record] = []
        for partition in self.call("GET", f"/topics/{_quote(topic)}")["detail"]:
            at = partition["start"]
            while at < partition["high_watermark"]:
                page = self.call("GET", f"/topics/{_quote(topic)}/records?partition={partition['partition']}&from={at}&limit=1000&decode=base64&isolation={isolation}")
                found += [_record(record) for record in page["records"]]
                reached = page["next"][str(partition["partition"])]
                if reached <= at:
                    break
                at = reached
        return found

    def wait_for_records(self, topic: str, count: int, timeout: Duration = 10.0) -> List[Record]:
        """Wait until a topic has so many records, and return them."""
        self.wait(f"/topics/{_quote(topic)}/wait", timeout, count=count)
        return self.records(topic)

    # Groups.

    def group(self, group: str) -> Dict[str, Any]:
        """A group's state, members and offsets, as the HTTP API has them."""
        return dict(self.call("GET", f"/groups/{_quote(group)}"))

    def committed(self, group: str) -> Dict[Tuple[str, int], int]:
        """The offsets that a group has committed, by topic and partition."""
        return {(at["topic"], at["partition"]): at["offset"] for at in self.group(group)["offsets"]}

    def wait_for_group(self, group: str, members: Optional[int] = None, state: Optional[str] = None, timeout: Duration = 10.0) -> None:
        """Wait until a group is stable with so many members, or in a state."""
        self.wait(f"/groups/{_quote(group)}/wait", timeout, members=members, state=state)

    def wait_for_committed(self, group: str, topic: str, offset: Optional[int] = None, partition: int = 0, timeout: Duration = 10.0) -> None:
        """Wait until a group has committed an offset; without one, all that the topic has."""
        self.wait(f"/groups/{_quote(group)}/wait", timeout, topic=topic, offset=offset, partition=partition)

    def reset_offsets(self, group: str, topic: str, to: str, **of: Any) -> None:
        """Set where a group without members goes on: to earliest, latest, offset, time or shift."""
        self.call("PUT", f"/groups/{_quote(group)}/offsets", {"topic": topic, "to": to, **of})

    # Transactions.

    def transactions(self, open: bool = False) -> List[Dict[str, Any]]:
        """All transactional ids with their newest transactions; with open, those that are neither committed nor
        aborted."""
        return list(self.call("GET", "/transactions?open=true" if open else "/transactions")["transactions"])

    def wait_for_transaction(self, transactional_id: str, state: str, timeout: Duration = 10.0) -> None:
        """Wait until a transaction is in a state: Ongoing, CompleteCommit or CompleteAbort."""
        self.wait(f"/transactions/{_quote(transactional_id)}/wait", timeout, state=state)

    # Faults.

    def inject(self, kind: str, api: str = "", *, wait: Optional[Duration] = None, **narrowed: Any) -> Fault:
        """Put a fault in place: fail, delay, drop, lose-answer, cut-answer, throttle, hold, corrupt, slow-request
        or slow-answer. It happens once unless times or always says otherwise; topic, partition, group,
        transactional_id, client_id, broker and after narrow it, every=10 makes it hit one in ten; optional says that
        it may miss."""
        spec: Dict[str, Any] = {"kind": kind, **({"api": api} if api else {}), **narrowed}
        if wait is not None:
            spec["wait"] = _duration(wait)
        made = self.call("POST", "/faults", spec)
        return Fault(made["id"], made["sentence"], self)

    def fail(self, api: str, error: str, **narrowed: Any) -> Fault:
        """Answer requests with an error, and do nothing."""
        return self.inject("fail", api, error=error, **narrowed)

    def delay(self, api: str, wait: Duration, **narrowed: Any) -> Fault:
        """Wait before requests are handled."""
        return self.inject("delay", api, wait=wait, **narrowed)

    def drop(self, api: str, **narrowed: Any) -> Fault:
        """Close the connection before a request is handled."""
        return self.inject("drop", api, **narrowed)

    def lose_answer(self, api: str, **narrowed: Any) -> Fault:
        """Handle a request, and close the connection in place of the answer."""
        return self.inject("lose-answer", api, **narrowed)

    def throttle(self, api: str, wait: Duration, **narrowed: Any) -> Fault:
        """Tell clients to be silent for a time."""
        return self.inject("throttle", api, wait=wait, **narrowed)

    def hold(self, api: str, **narrowed: Any) -> Fault:
        """Keep requests until release."""
        return self.inject("hold", api, **narrowed)

    def cut_answer(self, api: str, **narrowed: Any) -> Fault:
        """Handle a request, send half of the answer, and close the connection."""
        return self.inject("cut-answer", api, **narrowed)

    def corrupt(self, **narrowed: Any) -> Fault:
        """Send records with a wrong checksum."""
        return self.inject("corrupt", **narrowed)

    def slow_answer(self, api: str, rate: int, **narrowed: Any) -> Fault:
        """Send the answer at so many bytes per second."""
        return self.inject("slow-answer", api, rate=rate, **narrowed)

    def slow_request(self, api: str, rate: int, **narrowed: Any) -> Fault:
        """Handle a request when it would have come at so many bytes per second."""
        return self.inject("slow-request", api, rate=rate, **narrowed)

    def clear_faults(self) -> None:
        self.call("DELETE", "/faults")

    def missed_faults(self) -> List[str]:
        """Faults in place that never happened, in words."""
        return [f["sentence"] for f in self.call("GET", "/faults")["faults"] if f["hits"] == 0 and not f["optional"]]

    # Logical brokers.

    def stop_broker(self, broker: int) -> None:
        """Stop a logical broker: its connections are cut, and others lead what it led."""
        self.call("POST", f"/brokers/{broker}/stop")

    def start_broker(self, broker: int) -> None:
        """Start a stopped broker again."""
        self.call("POST", f"/brokers/{broker}/start")

    def move_leader(self, topic: str, partition: int, broker: int) -> None:
        """Make a broker the leader of a partition."""
        self.call("PUT", f"/topics/{_quote(topic)}/partitions/{partition}/leader", {"broker": broker})

    def move_coordinator(self, group: str, broker: int) -> None:
        """Make a broker the coordinator of a group."""
        self.call("PUT", f"/groups/{_quote(group)}/coordinator", {"broker": broker})

    # The broker as a whole.

    def advance(self, by: Duration) -> None:
        """Move the broker's clock ahead. All that falls due is done when this returns."""
        self.call("POST", "/clock/advance", {"by": _duration(by)})

    def reset(self) -> List[str]:
        """Empty the broker; returns the faults that never happened, in words."""
        return list(self.call("POST", "/reset")["missed_faults"])

    def snapshot(self, name: str) -> None:
        """Keep the state under a name."""
        self.call("PUT", f"/snapshots/{_quote(name)}")

    def restore(self, name: str) -> None:
        """Go back to a snapshot."""
        self.call("POST", f"/snapshots/{_quote(name)}/restore")

    def clients(self) -> List[Dict[str, Any]]:
        """The open connections."""
        return list(self.call("GET", "/clients")["clients"])

    def wait_for_client(self, client_id: str, timeout: Duration = 10.0) -> None:
        """Wait until a client is connected."""
        self.wait("/clients/wait", timeout, client_id=client_id)

    def transcript(self, after: int = 0) -> List[str]:
        """The newest requests of clients with their outcomes, a line each."""
        return [line["text"] for line in self.call("GET", f"/transcript?after={after}")["lines"]]

    def last_request(self) -> int:
        """The number of the newest request in the transcript; 0: none."""
        lines = self.call("GET", "/transcript?limit=1")["lines"]
        return int(lines[0]["number"]) if lines else 0


def _problem(error: urllib.error.HTTPError) -> Problem:
    text = error.read().decode("utf-8", "replace")
    try:
        told = json.loads(text)
    except ValueError:
        told = {"detail": text}
    return Problem(error.code, told.get("detail", text), told.get("remedy", ""), told.get("code", ""))


def _quote(name: str) -> str:
    return urllib.parse.quote(name, safe="")


def _seconds(of: Duration) -> float:
    return of.total_seconds() if isinstance(of, timedelta) else float(of)


def _duration(of: Duration) -> str:
    return f"{round(_seconds(of) * 1000)}ms"


def _content(name: str, of: Content) -> Dict[str, Any]:
    if of is None:
        return {}
    if isinstance(of, str):
        of = of.encode()
    return {f"{name}_base64": base64.b64encode(of).decode()}


def _bytes(of: Mapping[str, Any], name: str) -> Optional[bytes]:
    if f"{name}_base64" in of:
        return base64.b64decode(of[f"{name}_base64"])
    text = of.get(name)
    return text.encode() if isinstance(text, str) else None


def _record(of: Mapping[str, Any]) -> Record:
    headers = [(header["key"], _bytes(header, "value")) for header in of.get("headers", [])]
    return Record(_bytes(of, "value"), _bytes(of, "key"), headers, of["partition"], of["offset"], of["timestamp"])
