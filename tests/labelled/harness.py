"""Runs one labelled case as a user would, and compares the answer with what the label says."""

import base64
import gzip
from pathlib import Path
from typing import Any

import msgspec
import yaml
import zstandard
from click.testing import CliRunner

from apigw_doctor.cli.main import cli
from apigw_doctor.model.errors import DoctorError

CASES = Path(__file__).parent
#: Numbers may differ by this much from the label, unless its key ends in `_exact`.
TOLERANCE_MS = 60.0
TEXTS = ("text", "markdown")


class Outcome(msgspec.Struct):
    """What came out, and where it differs from the label."""

    exit: int
    answer: dict[str, Any] | None
    output: str
    differences: list[str]
    #: (labelled cause, given cause, accepted causes, confidence) of every labelled verdict that was found
    causes: list[tuple[str, str, tuple[str, ...], str]]


def case_files() -> list[Path]:
    """Every case, in a stable order."""
    return sorted(CASES.glob("*/*.yaml"))


def load(path: Path) -> dict[str, Any]:
    """A case as its file says."""
    case: dict[str, Any] = yaml.safe_load(path.read_text(encoding="utf-8"))
    return case


def run(case: dict[str, Any], folder: Path) -> Outcome:
    """Lay the case's files out in `folder`, diagnose them, compare."""
    raw = {name: encoded(text, case.get("encode", {}).get(name, [])) for name, text in case["files"].items()}
    for name, data in raw.items():
        target = folder / name
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(data)
    stdin = b"".join(raw.values()) if case.get("stdin") else None
    arguments = ["diagnose", "-" if stdin is not None else str(folder), *case.get("args", [])]
    status, output = invoke([*arguments, "--format", "json"], stdin)
    answer = msgspec.json.decode(output) if output.lstrip().startswith("{") else None
    outcome = Outcome(status, answer, output, [], [])
    _compare(case["expect"], outcome)
    for secret in case["expect"].get("absent", ()):
        texts = [output] + [invoke([*arguments, "--format", form], stdin)[1] for form in TEXTS if answer is not None]
        if any(secret in text for text in texts):
            outcome.differences.append(f"the secret {secret[:12]}... reached an output")
    return outcome


def invoke(arguments: list[str], stdin: bytes | None) -> tuple[int, str]:
    """Exit status and standard output of one call."""
    result = CliRunner().invoke(cli, arguments, input=stdin)
    if isinstance(result.exception, DoctorError):
        return 2, ""
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result.exit_code, result.stdout


def encoded(text: str, steps: list[str]) -> bytes:
    """The file's bytes after the case's encodings."""
    data = text.encode("latin-1" if "latin-1" in steps else "utf-8")
    for step in steps:
        if step == "hex":
            data = bytes.fromhex("".join(text.split()))
        elif step == "base64":
            data = base64.b64decode(data)
        elif step == "gzip":
            data = _members(data) if "gzip-members" in steps else gzip.compress(data, mtime=0)
        elif step == "zstd":
            data = zstandard.compress(data)
    return data


def _members(data: bytes) -> bytes:
    lines = data.splitlines(keepends=True)
    third = max(len(lines) // 3, 1)
    parts = (lines[:third], lines[third : 2 * third], lines[2 * third :])
    return b"".join(gzip.compress(b"".join(part), mtime=0) for part in parts)


def _compare(expect: dict[str, Any], outcome: Outcome) -> None:
    wrong = outcome.differences
    if "exit" in expect and outcome.exit != expect["exit"]:
        wrong.append(f"exit {outcome.exit}, not {expect['exit']}")
    answer = outcome.answer
    if answer is None:
        if expect.get("verdicts") or expect.get("summary") or expect.get("exit") != 2:
            wrong.append("no answer")
        return
    for key, value in (expect.get("summary") or {}).items():
        if answer["summary"].get(key) != value:
            wrong.append(f"summary.{key} {answer['summary'].get(key)}, not {value}")
    for label in expect.get("verdicts") or ():
        _compare_verdict(label, outcome)
    failed = {item for v in answer["verdicts"] if v["kind"] == "failed" for item in _ids(v)}
    near = {item for v in answer["verdicts"] if v["kind"] == "near-limit" for item in _ids(v)}
    wrong.extend(f"{item} is among the failed" for item in expect.get("no_verdict_for") or () if item in failed)
    wrong.extend(f"{item} is not near-limit" for item in expect.get("near_limit") or () if item not in near)
    names = {finding["code"] for finding in answer["findings"]}
    wrong.extend(f"finding {name} is missing" for name in expect.get("findings") or () if name not in names)
    wrong.extend(f"finding {name} is not true" for name in expect.get("not_findings") or () if name in names)
    unread = sum(row["lines"] for row in answer["unread"])
    if "unread_lines" in expect and unread != expect["unread_lines"]:
        wrong.append(f"{unread} unread lines, not {expect['unread_lines']}: {answer['unread']}")


def _ids(verdict: dict[str, Any]) -> list[str]:
    keys = ("request_id", "extended_request_id", "connection_id")
    ids = [verdict[key] for key in keys if verdict[key]]
    if verdict["request_id"] is None and verdict["invocation"] and verdict["invocation"]["request_id"]:
        ids.append(verdict["invocation"]["request_id"])
    return ids


def _find(label: dict[str, Any], verdicts: list[dict[str, Any]]) -> dict[str, Any] | None:
    wanted = [label[key] for key in ("request_id", "extended_request_id", "connection_id") if label.get(key)]
    invocation = label.get("invocation")
    if wanted:
        exact = [v for v in verdicts if all(item in _ids(v) for item in wanted)]
        return exact[0] if exact else None
    if "invocation" not in label and "request_id" not in label:
        return next((v for v in verdicts if v["kind"] == "failed"), None)
    name = invocation if isinstance(invocation, str) else (invocation or {}).get("request_id")
    for verdict in verdicts:
        if name is None and verdict["request_id"] is None:
            return verdict
        if name is not None and verdict["invocation"] and verdict["invocation"]["request_id"] == name:
            return verdict
    return None


def _compare_verdict(label: dict[str, Any], outcome: Outcome) -> None:
    assert outcome.answer is not None
    verdict = _find(label, outcome.answer["verdicts"])
    name = label.get("request_id") or label.get("connection_id") or label.get("invocation")
    if verdict is None:
        outcome.differences.append(f"{name}: no verdict")
        return
    if "cause" in label:
        accepted = (label["cause"], *label.get("accept", ()))
        outcome.causes.append((label["cause"], verdict["cause"], accepted, verdict["confidence"]))
        if verdict["cause"] not in accepted:
            outcome.differences.append(
                f"{name}: cause {verdict['cause']} ({verdict['confidence']}: {verdict['summary']}), not {' or '.join(accepted)}"
            )
            return
    for key, value in label.items():
        problem = _differs(key, value, verdict)
        if problem:
            outcome.differences.append(f"{name}: {problem}")


def _differs(key: str, value: Any, verdict: dict[str, Any]) -> str | None:
    if key in ("cause", "accept", "request_id", "connection_id", "extended_request_id"):
        return None
    if key.endswith("_contains"):
        return _lacks(key.removesuffix("_contains"), value, verdict)
    if key == "confidence":
        allowed = value if isinstance(value, list) else [value]
        return None if verdict["confidence"] in allowed else f"confidence {verdict['confidence']}, not {allowed}"
    if key == "invocation":
        return _invocation_differs(value, verdict["invocation"])
    given = verdict.get(key.removesuffix("_exact"))
    if isinstance(value, int | float) and not isinstance(value, bool) and isinstance(given, int | float):
        tolerance = 0.0 if key.endswith("_exact") or key == "status" else TOLERANCE_MS
        return None if abs(given - value) <= tolerance else f"{key} {given}, not {value}"
    return None if given == value or (isinstance(value, list) and given in value) else f"{key} {given}, not {value}"


def _lacks(field: str, words: list[str], verdict: dict[str, Any]) -> str | None:
    text = msgspec.json.encode(verdict[field]).decode().lower()
    missing = [word for word in words if str(word).lower() not in text and _escaped(word) not in text]
    return f"{field} lacks {missing}" if missing else None


def _escaped(word: Any) -> str:
    return msgspec.json.encode(str(word)).decode()[1:-1].lower()


def _invocation_differs(value: Any, given: dict[str, Any] | None) -> str | None:
    if value is None:
        joined = given is not None and given["request_id"] is not None
        return f"joined to {given['request_id']} by {given['join']}, but must not be" if joined and given else None
    if isinstance(value, str):
        value = {"request_id": value}
    if given is None:
        return f"no invocation, not {value}"
    problems = [
        f"invocation.{key} {given.get(key)}, not {wanted}"
        for key, wanted in value.items()
        if not _close(given.get(key), wanted)
    ]
    return "; ".join(problems) or None


def _close(given: Any, wanted: Any) -> bool:
    if isinstance(wanted, list):
        return given in wanted
    if isinstance(wanted, int | float) and isinstance(given, int | float) and not isinstance(wanted, bool):
        return abs(given - wanted) <= TOLERANCE_MS if abs(wanted) >= 20 else abs(given - wanted) < 5
    return bool(given == wanted)
