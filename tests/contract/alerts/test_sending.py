"""Notices at real receivers: a web server and a mail server on loopback."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Iterator

import pytest
import requests
from pydantic import SecretStr

from clawdet_infra.inventory.observation import Cause
from clawdet_infra.monitoring.alerts.channels import Channel, ChannelsError
from clawdet_infra.monitoring.alerts.notification import Delivery, Notification
from clawdet_infra.monitoring.alerts.sender import Sender, SenderPolicy
from clawdet_infra.redaction import Redactor
from tests.contract.alerts.receivers import Mail, Web
from tests.unit.monitoring.alerts.world import Patient, Ward

CANARY = "c4naryT0kenOfTheChannel"
QUICK = SenderPolicy(attempt_seconds=1, attempts=3, pause_seconds=0.05)
NOTICE = Notification(
    kind="raised",
    title="[clawdet] jürgen-日本 is down",
    body="Customer: jürgen-日本 (https://ada.clawdet.test)\nSeen: it hangs & <waits>\nRun: clawdet show ada --live",
    key="instance:ada",
)


def sender(*urls: str, policy: SenderPolicy = QUICK, redactor: Redactor | None = None) -> Sender:
    return Sender([Channel(f"channel {n}", SecretStr(url)) for n, url in enumerate(urls, 1)], redactor, policy)


def only(deliveries: tuple[Delivery, ...]) -> Delivery:
    [delivery] = deliveries
    return delivery


async def test_a_web_hook_gets_title_and_body_as_they_are(receiver: Web) -> None:
    delivery = only(await sender(receiver.url()).send(NOTICE))
    assert delivery == Delivery("channel 1 (JSON)", True)
    [(path, message)] = receiver.taken
    assert path == "/hook/" or path == "/hook"
    assert message["title"] == NOTICE.title
    assert message["message"] == NOTICE.body
    assert message["type"] == "failure"


async def test_a_notice_about_many_is_as_long_as_its_channel_takes_it(receiver: Web) -> None:
    """Rocket.Chat takes 1,000 characters and, like Discord and Pushover, answers 400 to more."""
    ward = Ward(*(Patient(f"customer-with-a-long-name-{number:02}", "shared-1") for number in range(60)))
    for one in ward.patients.values():
        one.down(Cause.SERVER_OFF, whole_server=True)
        one.done = tuple(f"Could not restart the containers: attempt {number}." for number in range(10))
    [notice] = ward.rounds(3)
    assert len(notice.body) > 3000
    receiver.longest = 1000
    chat = f"rocket://{'a' * 20}/{'b' * 20}@127.0.0.1:{receiver.port}/#ops"
    delivery = only(await sender(chat).send(notice))
    assert delivery.arrived, delivery.problem
    [(_, message)] = receiver.taken
    text = message["text"].replace("\\", "")
    assert notice.title in text
    assert "shared-1" in text
    assert "customer-with-a-long-name-00" in text
    assert "and more, for which there is no room here" in text
    assert "Next: run: clawdet health" in text
    receiver.taken.clear()
    receiver.longest = None
    assert only(await sender(receiver.url()).send(notice)).arrived
    assert receiver.taken[0][1]["message"] == notice.body, "a channel that takes all of it gets all of it"


async def test_a_mail_arrives_with_its_subject_and_every_line(mail: Mail) -> None:
    delivery = only(await sender(mail.url()).send(NOTICE))
    assert delivery.arrived, delivery.problem
    [message] = mail.taken
    assert message["subject"] == NOTICE.title
    assert message["to"] == "ops@clawdet.test"
    part = message.get_body(("html", "plain"))
    assert part is not None
    text = part.get_content()
    for word in ("jürgen-日本", "it hangs", "clawdet show ada --live", "https://ada.clawdet.test"):
        assert word in text.replace("&nbsp;", " ")
    assert "<waits>" not in text or part.get_content_type() == "text/plain", "what a server said is no markup"


async def test_a_failure_that_passes_is_tried_again(receiver: Web) -> None:
    receiver.statuses = [500, 503]
    delivery = only(await sender(receiver.url()).send(NOTICE))
    assert delivery.arrived
    assert len(receiver.taken) == 1, "it arrived once"
    assert len(receiver.paths) == 3


async def test_a_failure_that_stays_is_told_in_a_sentence(receiver: Web) -> None:
    receiver.status = 500
    delivery = only(await sender(receiver.url(CANARY)).send(NOTICE))
    assert not delivery.arrived
    assert "500" in delivery.problem
    assert "3 attempts" in delivery.problem
    assert CANARY not in delivery.problem


async def test_a_mail_server_that_refuses_is_a_failure(mail: Mail) -> None:
    mail.refusal = "550 5.7.1 not you"
    assert not only(await sender(mail.url()).send(NOTICE)).arrived


async def test_nobody_listening_is_a_failure(closed_port: int) -> None:
    web, post = await sender(
        f"json://127.0.0.1:{closed_port}/{CANARY}",
        f"mailto://u:{CANARY}@127.0.0.1:{closed_port}?smtp=127.0.0.1&from=a@clawdet.test&to=b@clawdet.test&mode=insecure",
    ).send(NOTICE)
    assert not web.arrived
    assert not post.arrived
    assert "onnection" in web.problem
    assert CANARY not in web.problem + post.problem


async def test_a_channel_that_hangs_holds_up_nobody(receiver: Web) -> None:
    other = Web()
    await other.start()
    try:
        receiver.status = None
        both = sender(receiver.url(), other.url())
        begun = time.monotonic()
        hanging, fine = await both.send(NOTICE)
        assert time.monotonic() - begun < 3
        assert fine.arrived
        assert hanging.problem == "no answer within 1 s"
        hanging, fine = await both.send(NOTICE)
        assert fine.arrived
        assert hanging.problem == "an earlier notice is still on its way", "hanging sends do not pile up"
        assert len(receiver.paths) == 1
    finally:
        receiver.release()
        await other.stop()


async def test_notices_of_one_round_arrive_all_of_them(receiver: Web) -> None:
    several = [Notification(kind="raised", title=f"number {number}", body="x") for number in range(10)]
    one = sender(receiver.url())
    answers = await asyncio.gather(*(one.send(notice) for notice in several))
    assert all(only(answer).arrived for answer in answers), answers
    assert [message["title"] for _, message in receiver.taken] == [notice.title for notice in several]


async def test_secrets_of_the_fleet_are_taken_out_at_the_last_moment(receiver: Web) -> None:
    slipped = Notification(kind="raised", title=f"it says {CANARY}", body=f"last answer: {CANARY}")
    await sender(receiver.url(), redactor=Redactor([CANARY])).send(slipped)
    [(_, message)] = receiver.taken
    assert message["title"] == "it says [secret]"
    assert message["message"] == "last answer: [secret]"


@pytest.fixture
def logs(caplog: pytest.LogCaptureFixture) -> Iterator[pytest.LogCaptureFixture]:
    """What apprise and all other libraries log, whether or not a test before this one has kept apprise to itself."""
    apprise = logging.getLogger("apprise")
    apprise.addHandler(caplog.handler)
    with caplog.at_level(1):
        yield caplog
    apprise.removeHandler(caplog.handler)


SERVICES = [
    f"json://user:{CANARY}@127.0.0.1:{{port}}/path",
    f"json://127.0.0.1:{{port}}/{CANARY}?+X-Key={CANARY}",
    f"form://127.0.0.1:{{port}}/{CANARY}",
    f"slack://T1JJ3T3L2/A1BRTD4JD/{CANARY}",
    f"https://hooks.slack.com/services/T1JJ3T3L2/A1BRTD4JD/{CANARY}",
    f"tgram://123456789:{CANARY}/12315544/",
    f"discord://123456789012345678/{CANARY}",
    f"ntfy://{CANARY}@127.0.0.1:{{port}}/topic",
    f"gotify://127.0.0.1:{{port}}/{CANARY}",
    f"matrix://user:{CANARY}@127.0.0.1:{{port}}/!room:x",
    f"rocket://user:{CANARY}@127.0.0.1:{{port}}/#channel",
    f"mmost://127.0.0.1:{{port}}/{CANARY}",
    f"mailto://user:{CANARY}@127.0.0.1:{{port}}?smtp=127.0.0.1&from=a@clawdet.test&to=b@clawdet.test&mode=insecure",
]


@pytest.mark.parametrize("way", ["answers 500", "refuses", "raises"])
@pytest.mark.parametrize("template", SERVICES, ids=lambda url: str(url).split(":")[0])
async def test_no_log_and_no_answer_shows_an_address(
    template: str,
    way: str,
    receiver: Web,
    closed_port: int,
    logs: pytest.LogCaptureFixture,
    capfd: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    receiver.status = 500
    port = closed_port if way == "refuses" else receiver.port

    def send(self: requests.Session, method: str, url: str, **options: object) -> requests.Response:
        if way == "raises":
            raise requests.ConnectionError(f"cannot reach {url} with {options}")
        # Services with hosts of their own are asked here instead.
        return real(self, method, f"http://127.0.0.1:{port}/{CANARY}", timeout=1)

    real = requests.Session.request
    if "{port}" not in template or way == "raises":
        monkeypatch.setattr(requests.Session, "request", send)
    policy = SenderPolicy(attempt_seconds=5, attempts=1)
    delivery = only(await sender(template.format(port=port), policy=policy).send(NOTICE))
    assert not delivery.arrived
    assert delivery.problem
    said = capfd.readouterr()
    for text in (delivery.problem, logs.text, said.out, said.err):
        assert CANARY not in text


@pytest.mark.parametrize(
    "url", [f"nosuch://{CANARY}", f"slack://{CANARY}", f"{CANARY}://x", f"https://example.com/{CANARY}"]
)
def test_an_address_that_is_none_is_refused_without_showing_it(
    url: str, logs: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(ChannelsError) as caught:
        sender(url)
    assert "channel 1" in str(caught.value)
    said = capfd.readouterr()
    for text in (str(caught.value), logs.text, said.out, said.err, repr(Channel("one", SecretStr(url)))):
        assert CANARY.lower() not in text.lower()


async def test_a_program_ends_while_a_channel_hangs(receiver: Web) -> None:
    receiver.status = None
    script = (
        "import asyncio, sys\n"
        "from pydantic import SecretStr\n"
        "from clawdet_infra.monitoring.alerts.channels import Channel\n"
        "from clawdet_infra.monitoring.alerts.notification import Notification\n"
        "from clawdet_infra.monitoring.alerts.sender import Sender, SenderPolicy\n"
        "url = sys.stdin.read()\n"
        "one = Sender([Channel('one', SecretStr(url))], policy=SenderPolicy(attempt_seconds=0.5))\n"
        "print(asyncio.run(one.send(Notification(kind='test', title='t', body='b')))[0].problem)\n"
    )
    process = await asyncio.create_subprocess_exec(
        "python", "-c", script, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE
    )
    # Reads of a hanging web server end after 30 s here; the program does not wait for that.
    url = f"{receiver.url()}?rto=30"
    output, _ = await asyncio.wait_for(process.communicate(url.encode()), 20)
    assert output.decode().strip() == "no answer within 0.5 s"
