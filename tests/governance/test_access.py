import os
import pwd

import pytest

from endcap.core.errors import AccessError, Code
from endcap.governance.access import (
    ALLOWED,
    AUDITED,
    Action,
    Actor,
    ActorKind,
    Resource,
    Role,
    local_actor,
    require,
)
from endcap.governance.audit import KeptInMemory

SHOP = Resource(name="shop", organisation="local", project="mugs", region="eu")


def actor(*roles, kind=ActorKind.PERSON, organisation="local"):
    return Actor(kind=kind, name="ann", roles=frozenset(roles), organisation=organisation)


@pytest.fixture
def log():
    return KeptInMemory()


def test_the_owner_may_do_everything(log):
    for action in Action:
        require(actor(Role.OWNER), action, SHOP, audit=log, at_us=1)
    assert {row.outcome for row in log.rows} == {"allowed"}


@pytest.mark.parametrize("role", list(Role))
def test_a_role_may_do_exactly_what_the_table_says(role):
    for action in Action:
        log = KeptInMemory()
        try:
            require(actor(role), action, SHOP, audit=log, at_us=1)
            was_let = True
        except AccessError:
            was_let = False
        assert was_let == (action in ALLOWED[role])


def test_every_action_can_be_done_by_somebody_and_every_role_has_a_line():
    assert set(ALLOWED) == set(Role)
    assert frozenset().union(*ALLOWED.values()) == set(Action)


def test_only_the_owner_reads_or_erases_personal_data_and_changes_access():
    dear = {Action.PERSONAL_READ, Action.PERSONAL_ERASE, Action.ACCESS_CHANGE, Action.AUDIT_READ}
    for role in set(Role) - {Role.OWNER}:
        assert not dear & ALLOWED[role]


def test_an_allowed_change_is_written_down(log):
    require(actor(Role.OPERATOR), Action.BUNDLE_DEPLOY, SHOP, audit=log, at_us=77)
    (row,) = log.rows
    assert (row.at_us, row.actor, row.action, row.resource) == (77, "person:ann", "bundle.deploy", "shop")
    assert (row.outcome, row.organisation, row.project, row.region) == ("allowed", "local", "mugs", "eu")


def test_reading_what_names_nobody_is_not_written_down(log):
    require(actor(Role.OWNER), Action.SHOP_READ, SHOP, audit=log, at_us=1)
    assert log.rows == []


def test_a_person_who_reads_personal_data_is_written_down_and_a_program_is_not(log):
    user = Resource(name="user/0db11465ff5d649790db1f2b4e1427c4")
    require(actor(Role.OWNER, kind=ActorKind.SERVICE), Action.PERSONAL_READ, user, audit=log, at_us=1)
    assert log.rows == []
    require(actor(Role.OWNER, kind=ActorKind.OS_USER), Action.PERSONAL_READ, user, audit=log, at_us=2)
    assert [row.resource for row in log.rows] == [user.name]


def test_served_recommendations_and_accepted_events_are_not_written_down(log):
    for action in (Action.SERVING_RECOMMEND, Action.SERVING_EVENTS):
        require(actor(Role.SERVICE, kind=ActorKind.SERVICE), action, SHOP, audit=log, at_us=1)
    assert log.rows == []


def test_every_refusal_is_written_down_also_of_what_is_not_when_allowed(log):
    with pytest.raises(AccessError):
        require(actor(), Action.SERVING_RECOMMEND, SHOP, audit=log, at_us=1)
    (row,) = log.rows
    assert (row.outcome, row.detail) == ("refused", "it has the roles (none)")


def test_a_refusal_names_the_roles_that_would_do(log):
    with pytest.raises(AccessError, match=r"person:ann may not bundle\.deploy shop") as refused:
        require(actor(Role.ANALYST), Action.BUNDLE_DEPLOY, SHOP, audit=log, at_us=1)
    assert refused.value.code is Code.ACCESS_DENIED
    assert refused.value.fix.endswith("owner, operator")


def test_roles_count_in_their_own_organisation_alone(log):
    with pytest.raises(AccessError, match="belongs to organisation 'local', the actor to 'other'"):
        require(actor(Role.OWNER, organisation="other"), Action.SHOP_READ, SHOP, audit=log, at_us=1)
    assert log.rows[0].outcome == "refused"


def test_nothing_is_let_through_when_it_cannot_be_written_down():
    class Full:
        def append(self, _row):
            raise OSError("no space")

    with pytest.raises(OSError, match="no space"):
        require(actor(Role.OWNER), Action.BUNDLE_DEPLOY, SHOP, audit=Full(), at_us=1)


def test_a_resource_cannot_be_named_by_a_raw_id():
    with pytest.raises(ValueError, match="keyed hash"):
        Resource(name="user/ann@shop.example")


def test_all_changes_are_audited():
    silent = set(Action) - AUDITED - {Action.PERSONAL_READ}
    assert silent == {
        Action.SHOP_READ,
        Action.SHOP_SIMULATE,
        Action.MODEL_COMPARE,
        Action.SERVING_RECOMMEND,
        Action.SERVING_EVENTS,
        Action.SERVING_READ,
    }


def test_the_local_actor_is_the_user_of_the_process_and_owns_local(monkeypatch):
    monkeypatch.setenv("USER", "somebody-else")
    monkeypatch.setenv("LOGNAME", "somebody-else")
    me = local_actor()
    assert me.name != "somebody-else"
    assert (me.kind, me.roles, me.organisation) == (ActorKind.OS_USER, {Role.OWNER}, "local")


def test_a_user_number_without_a_name_is_called_by_its_number(monkeypatch):
    def nobody(number):
        raise KeyError(number)

    monkeypatch.setattr(pwd, "getpwuid", nobody)
    assert local_actor().name == f"uid-{os.geteuid()}"
