"""The `clawdet` command."""

from __future__ import annotations

from clawdet_infra.cli import (
    alert,
    cloud,
    customer,
    daemon,
    demo,
    deprecated,
    doctor,
    exec,
    health,
    history,
    list,
    logs,
    metrics,
    open,
    power,
    preview,
    provision,
    recover,
    restart,
    show,
    ssh,
    strays,
    token,
    trial,
    up,
    validate,
)
from clawdet_infra.cli.command import App

app = App(
    name="clawdet",
    help="Make and run a fleet of private OpenClaw gateways.",
    pretty_exceptions_show_locals=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command("doctor")(doctor.doctor)
app.command("validate")(validate.validate)
app.command("test-deploy")(trial.try_out)
app.command("preview")(preview.preview)
app.command("up", context_settings=up.CONTEXT)(up.up)
app.command("provision")(provision.provision)
app.command("deprovision")(provision.deprovision)
app.command("list")(list.list_)
app.command("show")(show.show)
app.command("recover")(recover.recover)
app.command("history")(history.history)
app.command("health")(health.health)
app.command("strays")(strays.strays)
app.command("daemon")(daemon.daemon)
app.command("metrics")(metrics.metrics)
app.command("logs")(logs.logs)
app.command("exec", context_settings=exec.CONTEXT)(exec.exec_)
app.command("restart")(restart.restart)
app.command("ssh", context_settings=ssh.CONTEXT)(ssh.ssh)
app.command("open")(open.open_)
app.command("cloud", context_settings=cloud.CONTEXT)(cloud.cloud)
app.add_typer(customer.app, name="customer")
app.add_typer(demo.app, name="demo")
app.add_typer(power.app, name="power")
app.add_typer(alert.app, name="alert")
app.add_typer(token.app, name="token")
app.command("ps", hidden=True)(deprecated.ps)
app.command("status", hidden=True)(deprecated.status)
app.command("details", hidden=True)(deprecated.details)
