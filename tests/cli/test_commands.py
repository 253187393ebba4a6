"""The commands as a user calls them: options, exit statuses, one clear sentence for what cannot be done."""

import gzip
import json
import os
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import jsonschema
import pytest

from apigw_doctor.reports.schema import json_schema

INCIDENT = Path(__file__).parent.parent.parent / "examples" / "checkout-incident"
HEALTHY = (
    "2026-03-01T10:00:00.000Z (c0ffee00-0000-4000-8000-000000000001) Starting execution for request: x\n"
    "2026-03-01T10:00:00.100Z (c0ffee00-0000-4000-8000-000000000001) Method completed with status: 200\n"
)
SECRET = "Authorization=Bearer abcdefghijklmnopqrstuvwxyz0123"


def call(*arguments: str, stdin: str | None = None) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "apigw_doctor", *arguments], input=stdin, capture_output=True, text=True, check=False
    )


def test_failed_requests_give_1_and_exit_zero_turns_that_into_0() -> None:
    """Scripts branch on it."""
    assert call("diagnose", str(INCIDENT)).returncode == 1
    assert call("diagnose", str(INCIDENT), "--exit-zero").returncode == 0


def test_no_failed_request_gives_0() -> None:
    """On standard input too."""
    done = call("diagnose", "-", stdin=HEALTHY)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("no failed request among 1 request")


def metrics(*values: float, metric: str = "5XXError") -> str:
    times = [f"2026-03-01T10:0{minute}:00+00:00" for minute in range(len(values))]
    result = {
        "Id": "m0",
        "Label": f"AWS/ApiGateway {metric} ApiName=shop Stage=prod Sum",
        "Timestamps": times,
        "Values": values,
        "StatusCode": "Complete",
    }
    return json.dumps({"MetricDataResults": [result], "Messages": []})


def test_failures_that_only_metrics_count_give_1_and_the_headline_speaks_of_them(tmp_path: Path) -> None:
    """From files and from a case file."""
    file, case = tmp_path / "metrics.json", tmp_path / "incident.duckdb"
    file.write_text(metrics(2, 0, 3), encoding="utf-8")
    for done in (call("diagnose", str(file), "--case", str(case)), call("diagnose", "--case", str(case))):
        assert done.returncode == 1
        assert done.stdout.startswith("metrics count 5 failed requests (5XXError) of API shop, stage prod")
        assert "5 by metrics alone" in done.stdout
        assert "aws logs filter-log-events" in done.stdout


def test_metrics_without_failures_give_0_and_no_proof_of_health(tmp_path: Path) -> None:
    """A modified gateway response counts as 4XXError."""
    file = tmp_path / "metrics.json"
    file.write_text(metrics(0, 0), encoding="utf-8")
    done = call("diagnose", str(file))
    assert done.returncode == 0
    assert "no proof of health" in done.stdout
    assert "4XXError" in done.stdout


def test_failures_outside_the_period_that_was_asked_for_do_not_count(tmp_path: Path) -> None:
    """Metrics are bounded as requests are."""
    file = tmp_path / "metrics.json"
    file.write_text(metrics(2, 0, 3), encoding="utf-8")
    asked = json.loads(call("diagnose", str(file), "--from", "2026-03-01T10:01:00Z", "--format", "json").stdout)
    assert [finding["count"] for finding in asked["findings"]] == [3]
    assert call("diagnose", str(file), "--to", "2026-03-01T09:00:00Z").returncode == 0


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["diagnose"], "no input was given"),
        (["diagnose", "no-such-folder"], "no-such-folder: no such file or folder"),
        (["why", "x", "no-such-folder"], "no such file"),
        (["diagnose", "-", "--since", "soon"], "--since 'soon' is no length of time"),
        (["diagnose", "-", "--since", "1h", "--from", "2026-03-10"], "--since and --from both say where to begin"),
        (["diagnose", "-", "--from", "yesterday"], "--from 'yesterday' is no time"),
        (["diagnose", "-", "--no-redact", "--anonymize"], "contradict"),
        (["explain", "cold-strat"], "did you mean cold-start"),
        (["diagnos"], "No such command"),
    ],
)
def test_wrong_usage_gives_2_and_one_clear_sentence(arguments: list[str], words: str) -> None:
    """Never a traceback."""
    done = call(*arguments, stdin=HEALTHY)
    assert done.returncode == 2
    assert words in done.stderr
    assert "Traceback" not in done.stderr
    assert done.stdout == ""


def test_empty_and_binary_inputs_give_2(tmp_path: Path) -> None:
    """Nothing in them could be evidence."""
    for name, data, words in (("empty.log", b"", "is empty"), ("a.bin", b"\x7fELF\0\0\0", "binary data")):
        (tmp_path / name).write_bytes(data)
        done = call("diagnose", str(tmp_path / name))
        assert done.returncode == 2
        assert words in done.stderr


def test_a_cut_archive_gives_an_answer_and_3(tmp_path: Path) -> None:
    """What could be read is judged, and the report says what was cut."""
    data = gzip.compress((INCIDENT / "access.log").read_bytes())
    (tmp_path / "access.log.gz").write_bytes(data[: len(data) // 2])
    done = call("diagnose", str(tmp_path), "--format", "json", "--exit-zero")
    answer = json.loads(done.stdout)
    assert done.returncode == 3
    assert answer["summary"]["requests"] > 20
    assert "cut short" in answer["gaps"][0]


def test_a_failed_input_beside_good_ones_loses_nothing_else(tmp_path: Path) -> None:
    """A binary file, an empty one and a line of 9 MB among logs are named and counted."""
    (tmp_path / "access.log").write_bytes((INCIDENT / "access.log").read_bytes())
    (tmp_path / "core.bin").write_bytes(b"\x7fELF" + b"\0" * 100)
    (tmp_path / "empty.log").write_bytes(b"")
    (tmp_path / "long.log").write_bytes(b"x" * 9_000_000 + b"\n" + HEALTHY.encode())
    answer = json.loads(call("diagnose", str(tmp_path), "--format", "json").stdout)
    assert answer["summary"]["requests"] == 112
    reasons = " ".join(row["reason"] for row in answer["unread"])
    assert all(words in reasons for words in ("binary data", "is empty", "9 MB"))


def test_the_json_answer_follows_its_schema() -> None:
    """The schema that ships."""
    answer = json.loads(call("diagnose", str(INCIDENT), "--format", "json").stdout)
    jsonschema.validate(answer, json_schema())
    assert answer["schema"] == "apigw-doctor/diagnosis/1"


def test_output_goes_to_a_file_and_the_screen_stays_empty(tmp_path: Path) -> None:
    """For a ticket."""
    target = tmp_path / "report.md"
    done = call("diagnose", str(INCIDENT), "--format", "markdown", "--output", str(target))
    assert done.stdout == ""
    assert target.read_text(encoding="utf-8").startswith("#")


def test_from_and_to_keep_only_requests_of_that_time() -> None:
    """By arrival."""
    limits = ("--from", "2026-03-10T10:05:00Z", "--to", "2026-03-10T10:06:30Z")
    answer = json.loads(call("diagnose", str(INCIDENT), "--format", "json", *limits).stdout)
    assert {verdict["cause"] for verdict in answer["verdicts"]} == {"stalled-call"}
    assert answer["summary"]["failed"] == 3


def test_a_request_at_the_very_end_of_the_period_keeps_its_invocation() -> None:
    """The invocation starts some milliseconds after the request arrived."""
    everything = json.loads(call("diagnose", str(INCIDENT), "--format", "json").stdout)["verdicts"]
    stalled = next(verdict for verdict in everything if verdict["cause"] == "stalled-call")
    answer = json.loads(call("diagnose", str(INCIDENT), "--format", "json", "--to", stalled["arrived_at"]).stdout)
    assert answer["verdicts"][-1]["request_id"] == stalled["request_id"]
    assert answer["verdicts"][-1]["invocation"]["request_id"] == stalled["invocation"]["request_id"]


def test_a_period_without_evidence_is_said_with_the_times_that_there_are() -> None:
    """`--since` counts back from now, and exports are older."""
    done = call("diagnose", str(INCIDENT), "--since", "90s")
    assert done.returncode == 0
    first = " ".join(done.stdout.split("\n\n")[0].split())
    assert first.startswith("nothing in the period asked for: what was given runs from 2026-03-10T10:00:00.700Z to")


def test_why_finds_a_request_by_any_of_its_ids() -> None:
    """Request id (or its beginning), trace id, invocation id."""
    answer = json.loads(call("diagnose", str(INCIDENT), "--format", "json").stdout)
    verdict = next(verdict for verdict in answer["verdicts"] if verdict["cause"] == "cold-start")
    for wanted in (
        verdict["request_id"],
        verdict["request_id"][:8],
        f"Root={verdict['trace_id']}",
        verdict["invocation"]["request_id"],
    ):
        done = call("why", wanted, str(INCIDENT))
        assert done.returncode == 1
        assert done.stdout.startswith("cold start:")


def test_why_names_the_nearest_for_an_unknown_id() -> None:
    """With exit status 2."""
    done = call("why", "54405490-0000", str(INCIDENT))
    assert done.returncode == 2
    assert "the nearest are" in done.stderr


def test_secrets_and_addresses_stay_out(tmp_path: Path) -> None:
    """--no-redact says so on standard error; --anonymize hides addresses and keeps them apart."""
    log = HEALTHY.replace("status: 200", "status: 500").replace(
        "Starting execution for request: x",
        f"Execution failed due to configuration error: {{{SECRET}}} from 198.51.100.7",
    )
    plain = call("diagnose", "-", stdin=log)
    assert "abcdefghijklmnop" not in plain.stdout
    raw = call("diagnose", "-", "--no-redact", stdin=log)
    assert "keep this report on this machine" in raw.stderr
    hidden = call("diagnose", "-", "--anonymize", "--format", "json", stdin=log)
    assert "198.51.100.7" not in hidden.stdout
    assert "ip-" in hidden.stdout


def test_help_and_diagnose_import_nothing_heavy_before_they_need_it() -> None:
    """`--help` answers at once."""
    code = (
        "import sys; from apigw_doctor.cli.main import main\n"
        "try: main(['--help'])\n"
        "except SystemExit: pass\n"
        "sys.exit(' '.join(m for m in ('duckdb', 'rich', 'boto3', 'yaml', 'zstandard') if m in sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.stderr.strip() == ""


def test_no_color_in_pipes_and_with_no_color(tmp_path: Path) -> None:
    """Escape codes only where asked for."""
    assert "\x1b" not in call("diagnose", str(INCIDENT)).stdout
    assert "\x1b" in call("diagnose", str(INCIDENT), "--color").stdout


KEYED = "https://svc:hunter22@partner.example.com/v1/q?api_key=SUPERSECRET99&sig=ABCDEFsecret"


@pytest.mark.parametrize("form", ["text", "json", "markdown"])
def test_the_command_that_times_a_target_carries_no_secret_of_its_address(tmp_path: Path, form: str) -> None:
    """Commands are shown whole, so what they are made of must be clean."""
    log = tmp_path / "execution.log"
    request = "2026-03-04T10:00:{} (39436caa-e580-4b4b-830c-142b8896f48d) {}\n"
    lines = (
        ("00.005Z", "Starting execution for request: 39436caa-e580-4b4b-830c-142b8896f48d"),
        ("00.006Z", f"Sending request to {KEYED}"),
        ("29.006Z", "Execution failed due to a timeout error"),
        ("29.006Z", "Method completed with status: 504"),
    )
    log.write_text("".join(request.format(*line) for line in lines), encoding="utf-8")
    shown = call("diagnose", str(log), "--format", form).stdout
    assert "https://partner.example.com/v1/q" in shown
    assert not [secret for secret in ("hunter22", "SUPERSECRET99", "ABCDEFsecret") if secret in shown]


def test_an_id_that_a_caller_chose_cannot_run_in_the_shell_of_who_pastes(tmp_path: Path) -> None:
    """`x-amzn-RequestId` is the caller's to set."""
    row = {"requestId": "$(id)", "requestTimeEpoch": "1772618400000", "status": "504", "responseLatency": "29014"}
    log = tmp_path / "access.json"
    log.write_text(json.dumps(row | {"errorResponseType": "INTEGRATION_TIMEOUT"}), encoding="utf-8")
    shown = call("diagnose", str(log)).stdout
    assert "apigw-doctor why '$(id)' " in shown


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="a device of Linux")
def test_a_full_disk_is_one_sentence() -> None:
    """Be it that of the report or that of temporary files."""
    command = [sys.executable, "-m", "apigw_doctor", "explain", "cold-start"]
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, text=True, check=False, timeout=60)
    assert done.returncode == 2
    assert done.stderr.startswith("apigw-doctor: the disk is full")
    assert "Traceback" not in done.stderr


@pytest.mark.skipif(sys.platform != "linux", reason="a signal of Unix")
def test_a_command_that_is_told_to_end_leaves_nothing_behind(tmp_path: Path) -> None:
    """No folder with parts of logs."""
    command = [sys.executable, "-m", "apigw_doctor", "diagnose", "-"]
    environment = os.environ | {"TMPDIR": str(tmp_path)}
    with subprocess.Popen(command, stdin=subprocess.PIPE, stderr=subprocess.PIPE, env=environment) as running:
        assert running.stdin is not None
        running.stdin.write(b"x\n" * 100_000)  # more than a pipe holds: it reads by now
        for _ in range(60):
            running.terminate()
            # A signal that comes right before a read is seen behind it: the next one is not.
            with suppress(subprocess.TimeoutExpired):
                running.wait(1)
                break
        assert running.returncode == 128 + signal.SIGTERM
    assert list(tmp_path.iterdir()) == []
