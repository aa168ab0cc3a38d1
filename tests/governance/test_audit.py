import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from endcap.governance.audit import AuditRow, KeptInMemory, names_a_person, without_people


def row(**changed):
    known = {
        "at_us": 1,
        "actor": "os_user:ann",
        "action": "model.train",
        "resource": "model/popular",
        "outcome": "allowed",
        "organisation": "local",
        "project": "shop",
        "region": "eu",
    }
    return AuditRow(**{**known, **changed})


def test_rows_are_kept_in_order():
    log = KeptInMemory()
    log.append(row())
    log.append(row(at_us=2))
    assert [each.at_us for each in log.rows] == [1, 2]


@pytest.mark.parametrize("name", ["resource", "detail"])
@pytest.mark.parametrize("raw", ["user/ann@shop.example", "user/ann%40shop.example", "10.1.2.3", "asked from fe80::1"])
def test_a_row_that_names_a_person_is_refused_and_the_refusal_does_not_name_them(name, raw):
    with pytest.raises(ValueError, match=name) as refused:
        row(**{name: raw})
    assert raw not in str(refused.value)


def test_an_actor_may_be_called_by_an_address_as_in_many_directories():
    assert row(actor="person:ann@shop.example").actor == "person:ann@shop.example"


@pytest.mark.parametrize(
    "text",
    [
        "user/0db11465ff5d649790db1f2b4e1427c4",
        "table/events version 12 at 12:30:05",
        "bundle/2016-09-15-0db11465ff5d",
        "version 1.2.3",
        "std::vector",
        "12@3",
    ],
)
def test_hashes_times_and_versions_name_nobody(text):
    assert not names_a_person(text)


@pytest.mark.parametrize(
    ("text", "cleaned"),
    [
        ("client:10.0.0.1", "client:[removed]"),
        ("http://10.0.0.1:8080/x", "http://[removed]:8080/x"),
        ("ip=::ffff:10.0.0.1.", "ip=[removed]."),
        ("addr:fe80::1%eth0", "addr:[removed]%eth0"),
        ("<Ann.O'Neil+x@mail.shop.example>", "<Ann.O'[removed]>"),
    ],
)
def test_addresses_are_found_wherever_they_stand(text, cleaned):
    assert without_people(text) == cleaned


@settings(max_examples=50, deadline=None)
@given(st.ip_addresses(), st.sampled_from(["{}", "from {} to", "[{}]", "a={}", '"{}"', "({})."]))
def test_no_ip_address_survives(address, around):
    assert str(address) not in without_people(around.format(address))


@settings(max_examples=50, deadline=None)
@given(st.text(alphabet="ab1:.@%-_ /", max_size=80))
def test_cleaning_twice_is_cleaning_once(text):
    once = without_people(text)
    assert without_people(once) == once
