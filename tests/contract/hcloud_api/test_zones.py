"""DNS zones and record sets, through Hetzner's own Python client."""

from __future__ import annotations

import pytest
from hcloud import APIException, Client
from hcloud.zones import BoundZone, Zone, ZonePrimaryNameserver, ZoneRecord, ZoneRRSet

from tests.contract.hcloud_api.making import wait
from tests.contract.hcloud_api.running import RunningCloud


@pytest.fixture
def zone(client: Client) -> BoundZone:
    made = client.zones.create(name="clawdet.test", mode="primary", ttl=300, labels={"env": "test"})
    wait(made.action)
    return client.zones.get("clawdet.test")


def make_rrset(zone: BoundZone, name: str, rtype: str, *values: str, ttl: int | None = None) -> ZoneRRSet:
    made = zone.create_rrset(name=name, type=rtype, ttl=ttl, records=[ZoneRecord(value) for value in values])
    wait(made.action)
    return made.rrset


def some_rrset(zone: BoundZone, name: str, rtype: str) -> ZoneRRSet:
    """A record set to name in a call, whether there is one or not."""
    return ZoneRRSet(zone=zone, name=name, type=rtype)


def values(zone: BoundZone, name: str, rtype: str) -> list[str]:
    return [record.value for record in zone.get_rrset(name, rtype).records]


def test_a_zone_comes_with_its_soa_and_name_servers(zone: BoundZone) -> None:
    assert zone.status == "ok"
    assert zone.ttl == 300
    assert zone.labels == {"env": "test"}
    assert zone.record_count == 4
    assert zone.registrar == "other"
    assert zone.authoritative_nameservers.delegation_status == "unregistered"
    assert values(zone, "@", "NS") == zone.authoritative_nameservers.assigned
    (soa,) = values(zone, "@", "SOA")
    assert soa.startswith("hydrogen.ns.hetzner.com. dns.hetzner.com. 20")


def test_every_change_raises_the_serial(zone: BoundZone) -> None:
    def serial() -> int:
        return int(values(zone, "@", "SOA")[0].split()[2])

    first = serial()
    rrset = make_rrset(zone, "user1", "A", "192.0.2.1")
    second = serial()
    wait(zone.set_rrset_records(rrset, [ZoneRecord("192.0.2.2")]))
    third = serial()
    wait(zone.delete_rrset(rrset).action)

    assert first < second < third < serial()


def test_a_zone_is_found_by_id_and_by_name(client: Client, zone: BoundZone) -> None:
    assert client.zones.get(str(zone.id)).name == "clawdet.test"
    assert [found.id for found in client.zones.get_all(name="clawdet.test")] == [zone.id]
    with pytest.raises(APIException) as missing:
        client.zones.get("nobody.test")
    assert missing.value.code == "not_found"


def test_a_record_set_lives_through_all_that_can_be_done_to_it(zone: BoundZone) -> None:
    rrset = make_rrset(zone, "user1", "A", "192.0.2.1", ttl=60)
    assert (rrset.id, rrset.ttl) == ("user1/A", 60)

    wait(zone.add_rrset_records(rrset, [ZoneRecord("192.0.2.2", comment="spare")]))
    assert values(zone, "user1", "A") == ["192.0.2.1", "192.0.2.2"]
    wait(zone.remove_rrset_records(rrset, [ZoneRecord("192.0.2.1")]))
    assert values(zone, "user1", "A") == ["192.0.2.2"]
    wait(zone.update_rrset_records(rrset, [ZoneRecord("192.0.2.2", comment="main")]))
    assert zone.get_rrset("user1", "A").records[0].comment == "main"
    wait(zone.change_rrset_ttl(rrset, None))
    assert zone.get_rrset("user1", "A").ttl is None
    assert zone.update_rrset(rrset, labels={"a": "b"}).labels == {"a": "b"}
    wait(zone.set_rrset_records(rrset, [ZoneRecord("192.0.2.3")]))
    assert values(zone, "user1", "A") == ["192.0.2.3"]
    wait(zone.delete_rrset(rrset).action)
    with pytest.raises(APIException) as missing:
        zone.get_rrset("user1", "A")
    assert missing.value.code == "not_found"


def test_adding_records_makes_the_set_and_removing_the_last_one_unmakes_it(zone: BoundZone) -> None:
    rrset = some_rrset(zone, "*.user1", "AAAA")

    wait(zone.add_rrset_records(rrset, [ZoneRecord("2001:db8::1")], ttl=120))
    assert zone.get_rrset("*.user1", "AAAA").ttl == 120
    wait(zone.remove_rrset_records(rrset, [ZoneRecord("2001:db8::1")]))
    assert [found.id for found in zone.get_rrset_all(name="*.user1")] == []


def test_a_protected_record_set_cannot_be_changed(zone: BoundZone) -> None:
    rrset = make_rrset(zone, "user1", "A", "192.0.2.1")
    wait(zone.change_rrset_protection(rrset, change=True))

    for change in (
        lambda: zone.delete_rrset(rrset),
        lambda: zone.set_rrset_records(rrset, [ZoneRecord("192.0.2.2")]),
        lambda: zone.change_rrset_ttl(rrset, 60),
        lambda: zone.remove_rrset_records(rrset, [ZoneRecord("192.0.2.1")]),
        lambda: zone.import_zonefile(zone.export_zonefile().zonefile),
    ):
        with pytest.raises(APIException) as refusal:
            change()
        assert (refusal.value.code, refusal.value.message) == ("protected", "RRSet(s) is/are change protected")
    wait(zone.change_rrset_protection(rrset, change=False))
    wait(zone.delete_rrset(rrset).action)


def test_a_protected_zone_cannot_be_deleted(client: Client, zone: BoundZone) -> None:
    wait(zone.change_protection(delete=True))
    with pytest.raises(APIException) as refusal:
        zone.delete()
    assert refusal.value.code == "protected"

    wait(zone.change_protection(delete=False))
    wait(zone.delete().action)

    assert client.zones.get_all() == []


def test_a_new_zone_of_a_deleted_one_has_none_of_its_records(client: Client, zone: BoundZone) -> None:
    make_rrset(zone, "user1", "A", "192.0.2.1")
    wait(zone.delete().action)

    again = client.zones.create(name="clawdet.test", mode="primary").zone

    assert [rrset.id for rrset in again.get_rrset_all()] == ["@/SOA", "@/NS"]


def test_record_sets_can_be_listed_by_name_and_type(zone: BoundZone) -> None:
    for number in range(60):
        make_rrset(zone, f"user{number}", "A", "192.0.2.1")
    make_rrset(zone, "user1", "TXT", '"one"')

    assert len(zone.get_rrset_all(type="A")) == 60
    assert [rrset.id for rrset in zone.get_rrset_all(name="user1", sort=["name:desc"])] == ["user1/A", "user1/TXT"]
    page = zone.get_rrset_list(per_page=100)
    assert page.meta.pagination.per_page == 100, "a page of record sets may be twice as long as others"


def test_a_zone_file_survives_export_and_import(client: Client, zone: BoundZone) -> None:
    make_rrset(zone, "user1", "A", "192.0.2.1", "192.0.2.2", ttl=600)
    make_rrset(zone, "@", "TXT", '"v=spf1 -all"')
    make_rrset(zone, "www", "CNAME", "user1")
    text = zone.export_zonefile().zonefile
    before = {rrset.id: (rrset.ttl, rrset.records[0].value) for rrset in zone.get_rrset_all() if rrset.type != "SOA"}

    wait(zone.import_zonefile(text))

    after = {rrset.id: (rrset.ttl, rrset.records[0].value) for rrset in zone.get_rrset_all() if rrset.type != "SOA"}
    before["www/CNAME"] = (None, "user1.clawdet.test.")
    assert after == before


def test_a_zone_can_be_made_from_record_sets_or_from_a_file(client: Client, zone: BoundZone) -> None:
    text = zone.export_zonefile().zonefile.replace("clawdet.test", "example.com")
    imported = client.zones.create(name="example.com", mode="primary", zonefile=text)
    given = ZoneRRSet(name="www", type="A", records=[ZoneRecord("192.0.2.1", comment="web")])
    listed = client.zones.create(name="example.org", mode="primary", rrsets=[given])

    assert imported.zone.record_count == 4
    assert imported.zone.ttl == 300, "the file's $TTL is the zone's"
    assert listed.zone.record_count == 5
    assert listed.zone.get_rrset("www", "A").records[0].comment == "web"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("nonsense", "cannot be read"),
        ("$TTL 300\n@ IN A 192.0.2.1\n", "must have a SOA record"),
        ("$TTL 300\n@ IN SOA a. b. 1 2 3 4 5\n@ IN NS ns1.example.com.\n", "assigned name servers"),
        ("$INCLUDE /etc/passwd\n", "cannot be read"),
        ("$TTL 300\n$GENERATE 1-9 h$ A 192.0.2.1\n", "GENERATE is not part"),
    ],
)
def test_a_zone_file_that_does_not_fit_changes_nothing(zone: BoundZone, text: str, message: str) -> None:
    make_rrset(zone, "user1", "A", "192.0.2.1")

    with pytest.raises(APIException, match=message):
        zone.import_zonefile(text)

    assert values(zone, "user1", "A") == ["192.0.2.1"]


def test_a_secondary_zone_has_primary_name_servers_and_no_records(client: Client) -> None:
    server = ZonePrimaryNameserver(address="192.0.2.53", tsig_algorithm="hmac-sha256", tsig_key="c2VjcmV0")
    zone = client.zones.create(name="example.com", mode="secondary", primary_nameservers=[server]).zone

    assert zone.primary_nameservers[0].address == "192.0.2.53"
    wait(zone.change_primary_nameservers([ZonePrimaryNameserver(address="2001:db8::53", port=5353)]))
    zone = client.zones.get("example.com")
    assert (zone.primary_nameservers[0].address, zone.primary_nameservers[0].port) == ("2001:db8::53", 5353)
    for call in (
        lambda: zone.get_rrset_all(),
        lambda: zone.change_ttl(600),
        lambda: zone.export_zonefile(),
    ):
        with pytest.raises(APIException) as refusal:
            call()
        assert refusal.value.code == "incorrect_zone_mode"


def test_a_primary_zone_has_no_primary_name_servers(zone: BoundZone) -> None:
    with pytest.raises(APIException) as refusal:
        zone.change_primary_nameservers([ZonePrimaryNameserver(address="192.0.2.53")])

    assert refusal.value.code == "incorrect_zone_mode"


def test_ttl_and_labels_of_a_zone_can_be_changed(zone: BoundZone) -> None:
    wait(zone.change_ttl(7200))

    zone = zone.update(labels={"env": "prod"})

    assert (zone.ttl, zone.labels) == (7200, {"env": "prod"})


@pytest.mark.parametrize(
    "name", ["test", "clawdet.test.", "Clawdet.test", "a.b.test", "co.uk", "claw det.test", "-a.test", "müller.de", ""]
)
def test_a_zone_must_have_a_name_right_below_a_public_suffix(client: Client, name: str) -> None:
    with pytest.raises(APIException) as refusal:
        client.zones.create(name=name, mode="primary")

    assert refusal.value.code == "invalid_input"


@pytest.mark.parametrize("name", ["example.com", "example.co.uk", "xn--mnchen-3ya.de", "clawdet.test"])
def test_a_zone_can_have_a_name_right_below_a_public_suffix(client: Client, name: str) -> None:
    assert client.zones.create(name=name, mode="primary").zone.name == name


@pytest.mark.parametrize(
    ("name", "rtype", "value", "field"),
    [
        ("user1", "A", "192.0.2.256", "records[0].value"),
        ("user1", "A", "2001:db8::1", "records[0].value"),
        ("user1", "AAAA", "192.0.2.1", "records[0].value"),
        ("user1", "TXT", "not quoted", "records[0].value"),
        ("user1", "TXT", '"' + "x" * 256 + '"', "records[0].value"),
        ("user1", "MX", "mail.example.com.", "records[0].value"),
        ("user1", "CAA", "0 issue letsencrypt.org extra", "records[0].value"),
        ("user1", "SRV", "1 2 mail.example.com.", "records[0].value"),
        ("user1", "TLSA", "9999 1 1 00", "records[0].value"),
        ("user1", "CNAME", "two names", "records[0].value"),
        ("user1", "A", "192.0.2.1 ; comment", "records[0].value"),
        ("user1", "A", "", "records[0].value"),
        ("user1", "A", "\\# 4 01020304", "records[0].value"),
        ("@", "CNAME", "example.com.", "type"),
        ("User1", "A", "192.0.2.1", "name"),
        ("user1.", "A", "192.0.2.1", "name"),
        ("user1.clawdet.test", "A", "192.0.2.1", "name"),
        ("us er1", "A", "192.0.2.1", "name"),
        ("a.*.b", "A", "192.0.2.1", "name"),
        ("x" * 64, "A", "192.0.2.1", "name"),
        ("user1", "SOA", "a. b. 1 2 3 4 5", "name"),
    ],
)
def test_a_record_that_makes_no_sense_is_refused(
    zone: BoundZone, name: str, rtype: str, value: str, field: str
) -> None:
    with pytest.raises(APIException) as refusal:
        make_rrset(zone, name, rtype, value)

    assert refusal.value.code == "invalid_input"
    assert refusal.value.details["fields"][0]["name"] == field


@pytest.mark.parametrize(
    ("rtype", "value"),
    [
        ("A", "192.0.2.1"),
        ("AAAA", "2001:db8::1"),
        ("CAA", '0 issue "letsencrypt.org"'),
        ("CNAME", "www"),
        ("DS", "60485 5 1 2BB183AF5F22588179A53B0A98631FAD1A292118"),
        ("HINFO", '"AMD64" "Linux"'),
        ("HTTPS", '1 . alpn="h2"'),
        ("MX", "10 mail.example.com."),
        ("NS", "ns1.example.com."),
        ("PTR", "host.example.com."),
        ("RP", "ops.example.com. ."),
        ("SRV", "10 20 5060 sip"),
        ("SVCB", '1 svc.example.com. port="8443"'),
        ("TLSA", "3 1 1 " + "ab" * 32),
        ("TXT", '"v=spf1 -all" "second; string"'),
    ],
)
def test_a_record_of_every_type_is_kept_as_given(zone: BoundZone, rtype: str, value: str) -> None:
    make_rrset(zone, "user1", rtype, value)

    assert values(zone, "user1", rtype) == [value]


def test_a_cname_stands_alone(zone: BoundZone) -> None:
    make_rrset(zone, "www", "CNAME", "user1")
    make_rrset(zone, "user1", "A", "192.0.2.1")

    for name, rtype, value in (("www", "A", "192.0.2.1"), ("user1", "CNAME", "www")):
        with pytest.raises(APIException, match="beside other records"):
            make_rrset(zone, name, rtype, value)
    with pytest.raises(APIException, match="only one CNAME"):
        zone.set_rrset_records(some_rrset(zone, "www", "CNAME"), [ZoneRecord("a"), ZoneRecord("b")])


def test_a_record_set_is_unique_and_so_are_its_values(zone: BoundZone) -> None:
    make_rrset(zone, "user1", "A", "192.0.2.1")

    with pytest.raises(APIException, match=r"^RRSet\(s\) already exist\(s\)") as twice:
        make_rrset(zone, "user1", "A", "192.0.2.2")
    with pytest.raises(APIException) as values_twice:
        make_rrset(zone, "user2", "A", "192.0.2.1", "192.0.2.1")
    with pytest.raises(APIException) as added_twice:
        zone.add_rrset_records(some_rrset(zone, "user1", "A"), [ZoneRecord("192.0.2.1")])

    assert twice.value.code == "uniqueness_error"
    assert values_twice.value.code == "invalid_input"
    assert added_twice.value.code == "uniqueness_error"


def test_the_soa_record_is_hetzners(zone: BoundZone) -> None:
    soa = some_rrset(zone, "@", "SOA")

    with pytest.raises(APIException):
        zone.delete_rrset(soa)
    with pytest.raises(APIException):
        zone.remove_rrset_records(soa, [ZoneRecord(values(zone, "@", "SOA")[0])])


@pytest.mark.parametrize("ttl", [59, 0, -1, 2147483648])
def test_a_ttl_has_bounds(cloud: RunningCloud, zone: BoundZone, ttl: int) -> None:
    body = {"name": "user1", "type": "A", "ttl": ttl, "records": [{"value": "192.0.2.1"}]}

    answer = cloud.call("POST", "/zones/clawdet.test/rrsets", body)

    assert answer.status_code == 422
    assert answer.json()["error"]["details"]["fields"][0]["name"] == "ttl"
    assert cloud.call("POST", "/zones/clawdet.test/actions/change_ttl", {"ttl": ttl}).status_code == 422


def test_zones_are_unique(client: Client, zone: BoundZone) -> None:
    with pytest.raises(APIException) as refusal:
        client.zones.create(name="clawdet.test", mode="primary")

    assert refusal.value.code == "uniqueness_error"


def test_the_actions_of_a_zone_can_be_listed(client: Client, zone: BoundZone) -> None:
    make_rrset(zone, "user1", "A", "192.0.2.1")

    actions = client.zones.get_actions(Zone(id=zone.id), sort=["id"])

    assert [action.command for action in actions] == ["create_zone", "create_rrset"]
    assert client.zones.actions.get_by_id(actions[0].id).status == "success"
