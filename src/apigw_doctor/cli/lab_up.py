"""`apigw-doctor lab up`: serve a template, or a scenario, until Ctrl-C."""

import asyncio
import contextlib
import os
import shlex
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlencode

import click

from apigw_doctor.model.errors import UsageError
from apigw_doctor.model.terms import ApiType, Boundary

if TYPE_CHECKING:
    from apigw_doctor.lab.records import Exchange, InvocationEnded
    from apigw_doctor.lab.setup import LabRoute
    from apigw_doctor.workflows.lab_up import Answered, Plan

_BIG_SECONDS = 1000.0
_MAX_LINE = 2_000
_FAILED = 500
_EXAMPLE = "apigw-doctor lab up template.yaml"


@click.command("up")
@click.argument("template", required=False, type=click.Path(path_type=Path))
@click.option("--scenario", metavar="NAME", help="Serve the API of a scenario; requests follow its schedule.")
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    default=3000,
    show_default=True,
    help="Where to listen on this machine; 0: any free port.",
)
@click.option(
    "--time-scale",
    "scale",
    type=float,
    default=1.0,
    show_default=True,
    help="Scenarios: how much faster waiting passes.",
)
@click.option(
    "--out",
    "folder",
    type=click.Path(path_type=Path, file_okay=False),
    help="A new folder for the evidence, complete when the lab is stopped.",
)
@click.option(
    "--aws-endpoint",
    "endpoint",
    metavar="URL",
    help="Publish the evidence at this AWS endpoint when the lab is stopped.",
)
@click.option(
    "--parameter",
    "parameters",
    multiple=True,
    metavar="KEY=VALUE",
    help="A parameter of the template. May be repeated.",
)
@click.option("--api", metavar="LOGICAL_ID", help="Which API of the template; needed where it has several.")
@click.option("--seed", type=int, default=0, show_default=True, help="Ids, and a scenario's chance.")
@click.option("--quiet", is_flag=True, help="Only requests, not the functions' own logs.")
def command(
    template: Path | None,
    scenario: str | None,
    port: int,
    scale: float,
    folder: Path | None,
    endpoint: str | None,
    parameters: tuple[str, ...],
    api: str | None,
    seed: int,
    quiet: bool,
) -> None:
    """Serve an API on this machine that times out like the real one.

    TEMPLATE is a SAM, CloudFormation or OpenAPI file. Its Python functions run in processes of their own, on AWS's
    runtime client; timeouts, authorizers and errors are those of API Gateway and Lambda. Ctrl-C stops it.

    \b
    Examples:
      apigw-doctor lab up template.yaml --out evidence/
      apigw-doctor lab up --scenario cold-start --time-scale 10
      curl -i http://127.0.0.1:3000/prod/orders/17

    Exit status: 0 stopped by Ctrl-C or a signal, 2 wrong usage, no such template, port in use.
    """  # noqa: D301 - click wants the control character, not two characters
    from apigw_doctor.workflows.lab_up import check_endpoint, check_folder, plan_scenario, plan_template

    if (template is None) == (scenario is None):
        what = "either a template or --scenario NAME, not both" if template else "a template, or --scenario NAME"
        raise UsageError(f"lab up wants {what}", _EXAMPLE)
    if scenario is not None and (parameters or api):
        raise UsageError("--parameter and --api are for templates", _EXAMPLE)
    given = _parameters(parameters)
    if endpoint is not None:
        check_endpoint(endpoint)
    keep = folder is not None or endpoint is not None
    with contextlib.ExitStack() as stack:
        if template is not None:
            plan = stack.enter_context(
                plan_template(template, parameters=given, api=api, scale=scale, port=port, seed=seed, keep=keep)
            )
        else:
            plan = plan_scenario(scenario or "", scale=scale, port=port, seed=seed, keep=keep)
        if folder is not None:
            check_folder(folder)
        _serve(plan, folder, endpoint, quiet=quiet)


def _parameters(given: tuple[str, ...]) -> dict[str, str]:
    for one in given:
        if "=" not in one:
            raise UsageError(f"--parameter {one!r} has no value", "write it as --parameter KEY=VALUE")
    return dict(one.split("=", 1) for one in given)


def _serve(plan: "Plan", folder: Path | None, endpoint: str | None, *, quiet: bool) -> None:
    from apigw_doctor.workflows.lab_up import publish, serve_plan, write

    for note in plan.notes:
        click.echo(f"apigw-doctor: {_plain(note)}", err=True)
    screen = Screen(plan, quiet=quiet)
    served = serve_plan(plan, screen, _on_signals)
    # A second signal ends the writing, too.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    screen.stopped(served.cut)
    if folder is not None:
        write(served, folder)
        screen.say(f"evidence is in {folder}; now: apigw-doctor diagnose {shlex.quote(str(folder))}")
    if endpoint is not None:
        published = publish(served, endpoint)
        for note in published.notes:
            click.echo(f"apigw-doctor: {_plain(note)}", err=True)
        live = f"apigw-doctor diagnose --api-id {published.api_id} --stage {shlex.quote(published.stage)}"
        screen.say(f"evidence is at {endpoint}; now: AWS_ENDPOINT_URL={shlex.quote(endpoint)} {live}")


def _on_signals(stop: Callable[[], None]) -> None:
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        loop.add_signal_handler(number, stop)


class Screen:
    """What a person sees of the lab."""

    def __init__(self, plan: "Plan", *, quiet: bool) -> None:
        self._plan, self._quiet = plan, quiet
        self._api = plan.job.setup.api
        self._began = time.monotonic()

    def say(self, line: str) -> None:
        """One line, at once; nobody listens any more: the lab goes on."""
        try:
            click.echo(line)
        except BrokenPipeError:
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())

    def serving(self, port: int, front: int) -> None:
        """Address, routes, and how to try and to stop it."""
        api, plan = self._api, self._plan
        socket = api.api_type is ApiType.WEBSOCKET
        stage = "" if api.stage == "$default" else f"/{api.stage}"
        base = f"{'ws' if socket else 'http'}://127.0.0.1:{front}{stage}"
        kind = {ApiType.REST: "REST", ApiType.HTTP: "HTTP", ApiType.WEBSOCKET: "WebSocket"}[api.api_type]
        self.say(f"{_plain(api.name)}, {kind} API of {_plain(plan.origin)}, at {base}")
        if front != port:
            self.say(f"  behind an edge; the gateway itself is at http://127.0.0.1:{port}{stage}")
        if plan.job.scale != 1:
            self.say(f"  waiting passes {plan.job.scale:g} times as fast; times below are the lab's own")
        for route in api.routes:
            self.say(f"  {_plain(self._route(route))}")
        self.say(f"Try:  {self._example(base)}")
        self.say("Stop: Ctrl-C")

    def answered(self, event: "Answered") -> None:
        """One line a request."""
        one = event.exchange
        spent = f"{one.completed_at - one.arrived_at:.0f} ms"
        parts = [f"{_asked(one)} -> {one.status} in {spent}"]
        if event.boundary is not Boundary.NONE:
            length = "" if event.timer_ms is None else f" ({_seconds(event.timer_ms)})"
            parts.append(f"{event.boundary.value}{length} fired")
        elif one.status >= _FAILED and one.integration is not None and one.integration.error:
            parts.append(one.integration.error)
        if event.running is not None:
            parts.append(f"function {event.running} still running")
        if self._plan.job.incident is not None:
            parts.append(f"schedule: {event.cause or 'nothing wrong'}")
        self.say(f"{_clock(one.completed_at)} {_plain('; '.join(parts))}")

    def logged(self, function: str, text: str) -> None:
        """A line of a function's own log."""
        if not self._quiet:
            for line in text.splitlines() or [""]:
                self.say(f"    {_plain(function)} | {_plain(line)}")

    def orphan_ended(self, exchange: "Exchange", ended: "InvocationEnded") -> None:
        """A function that nobody waited for any more came to its end."""
        late = ended.at - exchange.completed_at
        text = (
            f"{_asked(exchange)}: function {ended.function}, still running, ended after {ended.duration_ms:.0f} ms"
            f" ({ended.outcome}), {late:.0f} ms after the caller had its {exchange.status}"
        )
        self.say(f"{_clock(ended.at)} {_plain(text)}")

    def stopped(self, cut: int) -> None:
        """The lab is down."""
        self.say("stopped" if not cut else f"stopped; {cut} invocation{'s' if cut > 1 else ''} had not ended")

    def _route(self, route: "LabRoute") -> str:
        limit = _seconds(self._limit(route))
        if route.kind == "mock":
            return f"{route.key} -> mock"
        if route.kind == "http-proxy":
            return f"{route.key} -> {route.url}, limit {limit}"
        reason = self._plan.job.unavailable.get(route.function or "")
        if reason is not None:
            return f"{route.key} -> {route.function or route.url or 'nothing'}: answers {self._failure()}, {reason}"
        function = next((one for one in self._plan.job.setup.functions if one.name == route.function), None)
        if function is None:
            return f"{route.key} -> {route.function}, which does not exist, limit {limit}"
        after = f", authorizer {route.authorizer}" if route.authorizer else ""
        return f"{route.key} -> {function.name}, limit {limit}, function timeout {_seconds(function.timeout_ms)}{after}"

    def _failure(self) -> str:
        return {ApiType.REST: "502", ApiType.HTTP: "500"}.get(self._api.api_type, "an error frame")

    def _limit(self, route: "LabRoute") -> float:
        from apigw_doctor.lab.gateway.integrate import limit_ms

        return limit_ms(self._api, route)

    def _example(self, base: str) -> str:
        if self._api.api_type is ApiType.WEBSOCKET:
            return f"wscat -c {shlex.quote(base)}"
        call = self._plan.example
        if call is not None:
            options = "".join(f" -H {shlex.quote(f'{name}: {text}')}" for name, text in call.headers.items())
            options += f" -d {shlex.quote(call.body)}" if call.body else ""
            options += f" -X {call.method}" if call.method not in ("GET", "POST" if call.body else "GET") else ""
            return f"curl -i{options} {shlex.quote(base + call.path)}"
        route = next((one for one in self._api.routes if one.function or one.url), self._api.routes[0])
        path = route.path if route.path.startswith("/") else "/"
        method = "" if route.method in ("GET", "ANY") else f" -X {route.method}"
        return f"curl -i{method} {shlex.quote(base + path.replace('{', '').replace('+}', '').replace('}', ''))}"


def _asked(exchange: "Exchange") -> str:
    """What was asked for: `GET /orders/17?full=1`, `message ask`."""
    if exchange.event_type is not None:
        key = exchange.route.path if exchange.route is not None else "without a route"
        return f"{exchange.event_type.lower()} {key}"
    query = f"?{urlencode(exchange.query)}" if exchange.query else ""
    return f"{exchange.method} {exchange.path}{query}"


def _plain(text: str) -> str:
    """Text of logs and templates as one line that cannot steer a terminal."""
    from apigw_doctor.reports.escape import one_line

    return one_line(text, _MAX_LINE)


def _seconds(ms: float) -> str:
    return f"{ms / _BIG_SECONDS:.1f} s" if ms % 100 == 0 else f"{ms / _BIG_SECONDS:.3f} s"


def _clock(at_ms: float) -> str:
    return time.strftime("%H:%M:%S", time.localtime(at_ms / _BIG_SECONDS)) + f".{at_ms % _BIG_SECONDS:03.0f}"
