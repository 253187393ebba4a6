"""`--case`: written once, read in no time, extended by what is new, merged, exported, and free of secrets."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import duckdb
import pytest

INCIDENT = Path(__file__).parent.parent.parent / "examples" / "checkout-incident"
PARTS = ("API-Gateway-Execution-Logs_a1b2c3d4e5", "access.log", "aws")
# Invented, but for the key id that AWS uses in its own examples.
SECRETS = ("abcdefghijklmnopqrstuvwxyz0123", "hunter22secret", "jane.doe@example.com", "AKIA" + "IOSFODNN7EXAMPLE")
ADDRESS = "198.51.100.7"
LEAKY = "".join(
    f"2026-03-01T10:00:{at}Z (c0ffee00-0000-4000-8000-000000000001) {line}\n"
    for at, line in (
        ("00.000", "Starting execution for request: c0ffee00-0000-4000-8000-000000000001"),
        ("00.001", f"Method request headers: {{Authorization=Bearer {SECRETS[0]}, X-Forwarded-For={ADDRESS}}}"),
        ("00.002", f"Sending request to https://svc:{SECRETS[1]}@partner.example.com/v1?AWSAccessKeyId={SECRETS[3]}"),
        ("29.003", f"Execution failed due to a timeout error for {SECRETS[2]} from {ADDRESS}"),
        ("29.004", "Method completed with status: 504"),
    )
)


def call(*arguments: str | Path, stdin: str | None = None, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "apigw_doctor", *map(str, arguments)]
    return subprocess.run(command, input=stdin, capture_output=True, text=True, check=False, cwd=cwd)


def answer(*arguments: str | Path) -> Any:
    done = call("diagnose", *arguments, "--format", "json", "--exit-zero")
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def sorted_proof(found: Any) -> Any:
    """The same proof in another order is the same; files that were read apart are met in another order."""
    for verdict in found["verdicts"]:
        verdict["evidence"].sort(key=lambda item: (item["text"], item["origin"]))
    found["verdicts"].sort(key=lambda verdict: (verdict["arrived_at"], verdict["request_id"] or ""))
    return found


@pytest.fixture(scope="module")
def straight() -> Any:
    return answer(INCIDENT)


@pytest.fixture
def case(tmp_path: Path) -> Path:
    return tmp_path / "incident.duckdb"


@pytest.fixture
def logs(tmp_path: Path) -> Path:
    """A copy that may be changed."""
    return Path(shutil.copytree(INCIDENT, tmp_path / "logs"))


def sources_of(case: Path) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(call("case", "info", case, "--format", "json").stdout)["sources"]
    return found


def test_the_answer_is_the_same_with_the_logs_and_without(case: Path, straight: Any) -> None:
    assert answer(INCIDENT, "--case", case) == straight
    assert answer("--case", case) == straight
    done = call("diagnose", "--case", case)
    assert (done.returncode, done.stderr) == (1, "")
    assert f"--case {case}" in done.stdout


def test_why_reads_it_too(case: Path) -> None:
    assert call("why", "54405491", INCIDENT, "--case", case).returncode == 1
    told = call("why", "54405491", "--case", case)
    assert told.stdout == call("why", "54405491", INCIDENT).stdout
    assert call("why", "54405490-0000", "--case", case).returncode == 2


def test_another_period_is_judged_anew(case: Path) -> None:
    call("diagnose", INCIDENT, "--case", case)
    period = ("--from", "2026-03-10T10:05:00Z", "--to", "2026-03-10T10:06:30Z")
    assert answer("--case", case, *period) == answer(INCIDENT, *period)


def test_what_is_in_the_file_is_not_read_again(case: Path, logs: Path, straight: Any) -> None:
    """Nor when it has another name, nor when only its time has changed."""
    answer(logs, "--case", case)
    before = sources_of(case)
    for file in logs.rglob("*.log"):
        os.utime(file, (1, 1))
    (logs / "access.log").rename(logs / "renamed.log")
    again = answer(logs, "--case", case)
    assert again["summary"] == straight["summary"]
    assert sources_of(case) == before


@pytest.mark.parametrize("order", [PARTS, PARTS[::-1]], ids=["gateway first", "lambda first"])
def test_adding_step_by_step_equals_reading_at_once(case: Path, straight: Any, order: tuple[str, ...]) -> None:
    for part in order:
        call("diagnose", INCIDENT / part, "--case", case)
    found, wanted = answer("--case", case), json.loads(json.dumps(straight))
    for one in (found, wanted):
        one.pop("unread")  # the folder holds a file that its parts do not
    assert sorted_proof(found) == sorted_proof(wanted)


def test_a_file_that_has_grown_is_read_anew(case: Path, logs: Path, straight: Any) -> None:
    """Its old rows are replaced."""
    access = logs / "access.log"
    lines = access.read_text(encoding="utf-8").splitlines(keepends=True)
    access.write_text("".join(lines[:40]), encoding="utf-8")
    answer(logs, "--case", case)
    access.write_text("".join(lines), encoding="utf-8")
    found = answer(access, "--case", case)
    assert found["summary"] == straight["summary"]
    assert len(sources_of(case)) == len({source["name"] for source in sources_of(case)})


def test_a_changed_file_leaves_nothing_of_what_it_was(case: Path, logs: Path) -> None:
    """Also when it has fewer failures now."""
    alone = logs / "alone"
    alone.mkdir()
    (alone / "execution.log").write_text(LEAKY, encoding="utf-8")
    assert answer(alone, "--case", case)["summary"]["failed"] == 1
    (alone / "execution.log").write_text(LEAKY.replace("504", "200").replace("Execution failed", "x"), encoding="utf-8")
    found = answer(alone, "--case", case)["summary"]
    assert (found["requests"], found["failed"]) == (1, 0)


def test_a_changed_file_whose_companion_is_gone_is_refused(case: Path, logs: Path) -> None:
    """Their joins were made together."""
    answer(logs, "--case", case)
    shutil.rmtree(logs / "aws")
    with (logs / "access.log").open("a", encoding="utf-8") as file:
        file.write("\n")
    done = call("diagnose", logs, "--case", case)
    assert done.returncode == 2
    assert "has changed, and" in done.stderr
    assert "start another case file" in done.stderr


def test_pastes_add_up(case: Path) -> None:
    """Each has the same name, and none replaces another."""
    other = LEAKY.replace("0000-4000-8000-000000000001", "0000-4000-8000-000000000002")
    for paste in (LEAKY, other, LEAKY):
        call("diagnose", "-", "--case", case, stdin=paste)
    assert answer("--case", case)["summary"]["failed"] == 2
    assert len(sources_of(case)) == 2


def test_the_case_file_may_lie_among_the_logs(logs: Path, straight: Any) -> None:
    case = logs / "incident.duckdb"
    for _ in range(2):
        assert answer(logs, "--case", case)["summary"] == straight["summary"]
    assert not [source for source in sources_of(case) if "duckdb" in source["name"]]


def test_a_format_that_comes_later_explains_lines_that_nobody_could_read(case: Path, tmp_path: Path) -> None:
    """Whether it is given or stands in the stage's configuration."""
    log = tmp_path / "access.txt"
    log.write_text("c0ffee00-0000-4000-8000-000000000001|504|29001|1772359200000\n", encoding="utf-8")
    text = "$context.requestId|$context.status|$context.responseLatency|$context.requestTimeEpoch"
    (tmp_path / "execution.log").write_text(LEAKY, encoding="utf-8")
    answer(tmp_path / "execution.log", log, "--case", case)
    assert answer("--case", case)["unread"]
    call("diagnose", log, "--access-log-format", text, "--case", case)
    assert not answer("--case", case)["unread"]


# secrets


def all_bytes(case: Path) -> bytes:
    return b"".join(
        path.read_bytes() for path in case.parent.iterdir() if path.is_file() and path.name.startswith(case.name)
    )


def test_no_secret_reaches_the_file(case: Path, tmp_path: Path) -> None:
    """Neither packed nor in columns: every text in it is looked at."""
    call("diagnose", "-", "--case", case, stdin=LEAKY)
    raw = all_bytes(case)
    call("case", "export", case, "--output", tmp_path / "out")
    with duckdb.connect() as link:
        texts = "".join(
            str(link.execute(f"SELECT * FROM '{path}'").fetchall()) for path in (tmp_path / "out").glob("*.parquet")
        )
    shown = texts + call("diagnose", "--case", case, "--format", "json").stdout
    assert "partner.example.com" in texts
    for secret in SECRETS:
        assert secret.encode() not in raw
        assert secret not in shown


KEY = ["-----BEGIN RSA PRIVATE KEY-----", "MIIEowIBAAKCAQEAx3v9", "q2w3e4r5t6y7u8i9o0", "-----END RSA PRIVATE KEY-----"]


def test_a_key_that_a_function_logged_line_by_line_is_no_secret_kept(case: Path) -> None:
    """Each line alone looks harmless."""
    at, request = "2026-03-01T10:00:0{}.000Z", "c0ffee00-0000-4000-8000-0000000000aa"
    lines = [
        f"{at.format(1 + number)}\t{request}\tINFO\t{line}" for number, line in enumerate(["loaded", *KEY, "used"])
    ]
    log = [f"{at.format(0)} START RequestId: {request} Version: $LATEST", *lines]
    log += [f"{at.format(9)} {request} Task timed out after 9.00 seconds", f"{at.format(9)} END RequestId: {request}"]
    call("diagnose", "-", "--case", case, stdin="".join(f"{line}\n" for line in log))
    with duckdb.connect(str(case), read_only=True) as link:
        kept = str(link.execute("SELECT lines FROM invocations").fetchall())
    assert "loaded" in kept
    assert "used" in kept
    assert not [line for line in KEY[1:3] if line in kept or line.encode() in all_bytes(case)]


def test_no_redact_does_not_go_with_a_case_file(case: Path) -> None:
    done = call("diagnose", INCIDENT, "--case", case, "--no-redact")
    assert done.returncode == 2
    assert "never holds secrets" in done.stderr
    assert not case.exists()


def test_an_anonymized_file_holds_no_address_and_its_key_lies_beside_it(case: Path) -> None:
    """The same address keeps its hash; without the key nothing is added, and everything is read."""
    call("diagnose", "-", "--case", case, "--anonymize", stdin=LEAKY)
    key = case.with_name("incident.duckdb.key")
    assert key.stat().st_mode & 0o777 == 0o600
    raw = case.read_bytes()
    assert ADDRESS.encode() not in raw
    assert bytes.fromhex(key.read_text(encoding="ascii")) not in raw
    first = call("diagnose", "--case", case, "--format", "json").stdout
    assert ADDRESS not in first
    assert "ip-" in first
    other = LEAKY.replace("000000000001", "000000000002")
    second = call("diagnose", "-", "--case", case, "--format", "json", stdin=other).stdout
    assert set(re.findall(r"ip-[0-9a-f]{10}", second)) == set(re.findall(r"ip-[0-9a-f]{10}", first))
    key.unlink()
    done = call("diagnose", "-", "--case", case, stdin=other.replace("000000000002", "000000000003"))
    assert done.returncode == 2
    assert "incident.duckdb.key is not beside it" in done.stderr
    assert call("diagnose", "--case", case).returncode == 1


def test_a_report_of_a_plain_file_can_be_anonymized_and_more_cannot_be_added_that_way(case: Path) -> None:
    call("diagnose", "-", "--case", case, stdin=LEAKY)
    reports = [call("diagnose", "--case", case, "--anonymize", "--format", "json").stdout for _ in range(2)]
    assert ADDRESS not in reports[0]
    assert reports[0] == reports[1]
    done = call("diagnose", INCIDENT, "--case", case, "--anonymize")
    assert done.returncode == 2
    assert "was written without --anonymize" in done.stderr


# stopped


STOP = """
import os, signal, sys
from apigw_doctor.cli import main
from apigw_doctor.workflows import case
reads = []
def read(inputs, **more):
    if reads:
        os.kill(os.getpid(), int(sys.argv[1]))
    reads.append(inputs)
    return plain(inputs, **more)
plain, case.read = case.read, read
case.diagnose_case.__kwdefaults__["group_bytes"] = 300_000
main.main(sys.argv[2:])
"""


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGINT])
def test_a_stopped_reading_goes_on_where_it_was(case: Path, straight: Any, how: signal.Signals) -> None:
    """Killed or Ctrl-C: the file is valid, says that it lacks something, and only the rest is read."""
    arguments = ["diagnose", str(INCIDENT), "--case", str(case)]
    done = subprocess.run(
        [sys.executable, "-c", STOP, str(int(how)), *arguments], capture_output=True, text=True, check=False
    )
    assert done.returncode == (-how if how is signal.SIGKILL else 130)
    held = sources_of(case)
    assert 0 < len(held) < 13
    if how is signal.SIGINT:
        assert done.stderr.startswith(f"apigw-doctor: stopped: {case} holds {len(held)} inputs\n")
        assert f"this reads the rest: apigw-doctor diagnose {INCIDENT} --case {case}" in done.stderr
    partly = call("diagnose", "--case", case, "--format", "json")
    assert partly.returncode == 3
    assert "the reading was stopped before" in json.loads(partly.stdout)["gaps"][0]
    found = answer(INCIDENT, "--case", case)
    assert found["gaps"] == []
    assert found["summary"] == straight["summary"]
    after = sources_of(case)
    assert after[: len(held)] == held
    assert len(after) == 13


def test_stopped_before_anything_was_written_says_so(case: Path) -> None:
    code = STOP.replace("if reads:", "if True:")
    done = subprocess.run(
        [sys.executable, "-c", code, str(int(signal.SIGINT)), "diagnose", str(INCIDENT), "--case", str(case)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 130
    assert "stopped before anything was written" in done.stderr
    assert not case.exists()


# exit statuses and refusals


def test_wrong_usage_gives_2_and_makes_no_file(case: Path, tmp_path: Path) -> None:
    """One sentence each."""
    (tmp_path / "empty.log").write_bytes(b"")
    calls: tuple[tuple[list[str | Path], str], ...] = (
        (["diagnose", "--case", case], "no such case file"),
        (["diagnose", "no-such-folder", "--case", case], "no such file or folder"),
        (["diagnose", tmp_path / "empty.log", "--case", case], "is empty"),
        (["diagnose", INCIDENT, "--case", tmp_path], "is a folder"),
        (["diagnose", INCIDENT, "--case", tmp_path / "none" / "x.duckdb"], "cannot be written"),
        (["case", "info", case], "no such case file"),
    )
    for arguments, words in calls:
        done = call(*arguments)
        assert done.returncode == 2, arguments
        assert words in done.stderr
        assert "Traceback" not in done.stderr
    assert not case.exists()


def test_help_imports_no_duckdb() -> None:
    code = (
        "import sys; from apigw_doctor.cli.main import main\n"
        "for words in (['--help'], ['diagnose', '--help'], ['case', '--help'], ['case', 'merge', '--help']):\n"
        "    try: main(words)\n"
        "    except SystemExit: pass\n"
        "sys.exit('duckdb' if 'duckdb' in sys.modules else '')"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.stderr.strip() == ""


# several files


def test_two_case_files_merge_and_what_both_read_counts_once(case: Path, tmp_path: Path, straight: Any) -> None:
    one, other = tmp_path / "one.duckdb", tmp_path / "other.duckdb"
    call("diagnose", INCIDENT / PARTS[0], INCIDENT / PARTS[1], "--case", one)
    call("diagnose", INCIDENT / PARTS[1], "--case", other)
    call("diagnose", INCIDENT / PARTS[2], "--case", other)
    done = call("case", "merge", one, other, "--output", case)
    assert (done.returncode, done.stderr) == (0, "")
    assert "12 sources in 2 batches; 1 of them were in both files" in done.stdout
    assert answer("--case", case)["summary"] == straight["summary"]
    assert "exists already" in call("case", "merge", one, other, "--output", case).stderr


def test_what_does_not_belong_together_is_not_merged(tmp_path: Path) -> None:
    """Another API, another stage, another redaction, another key."""
    row = {"requestId": "c0ffee00-0000-4000-8000-000000000001", "requestTimeEpoch": "1772618400000", "status": "504"}
    made = {
        "a": ({"apiId": "aaaaaaaaaa", "stage": "prod"}, ()),
        "b": ({"apiId": "bbbbbbbbbb", "stage": "prod"}, ()),
        "c": ({"apiId": "aaaaaaaaaa", "stage": "test"}, ()),
        "d": ({"apiId": "aaaaaaaaaa", "stage": "prod"}, ("--anonymize",)),
        "e": ({"apiId": "aaaaaaaaaa", "stage": "prod"}, ("--anonymize",)),
    }
    for name, (more, options) in made.items():
        (tmp_path / f"{name}.json").write_text(json.dumps(row | more), encoding="utf-8")
        call("diagnose", tmp_path / f"{name}.json", "--case", tmp_path / f"{name}.duckdb", *options)
    for first, second, words in (
        ("a", "b", "one is of the API aaaaaaaaaa, the other of bbbbbbbbbb"),
        ("a", "c", "one is of the stage prod, the other of test"),
        ("a", "d", "without"),
        ("d", "e", "different keys"),
    ):
        paths = [tmp_path / f"{name}.duckdb" for name in (first, second)]
        done = call("case", "merge", *paths, "--output", tmp_path / "out.duckdb")
        assert done.returncode == 2
        assert words in done.stderr
        assert not (tmp_path / "out.duckdb").exists()
    forced = call("case", "merge", tmp_path / "a.duckdb", tmp_path / "b.duckdb", "--output", tmp_path / "f", "--force")
    assert forced.returncode == 0


def test_schema_names_every_table_and_makes_them() -> None:
    """What it prints is SQL."""
    text = call("case", "schema").stdout
    with duckdb.connect() as link:
        link.execute(text)
        names = {row[0] for row in link.execute("SHOW TABLES").fetchall()}
    assert {"case_file", "sources", "requests", "traffic", "crowd", "verdicts"} <= names
