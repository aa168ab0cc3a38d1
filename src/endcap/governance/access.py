"""The one door: every command and every route names its actor here before it does anything.

Roles are decided by one plain table. Teams, keys and residency will come through the same door.
"""

import os
import pwd
from enum import StrEnum

import msgspec

from endcap.core.errors import AccessError, Code
from endcap.governance.audit import AuditLog, AuditRow, names_a_person

__all__ = ["ALLOWED", "AUDITED", "Action", "Actor", "ActorKind", "Resource", "Role", "local_actor", "require"]


class Action(StrEnum):
    """What can be asked for."""

    SHOP_INIT = "shop.init"
    SHOP_READ = "shop.read"
    SHOP_SIMULATE = "shop.simulate"
    EVENTS_INGEST = "events.ingest"
    SESSIONS_MAKE = "sessions.make"
    FEATURES_MAKE = "features.make"
    TABLES_COMPACT = "tables.compact"
    RUN_REPLAY = "run.replay"
    MODEL_TRAIN = "model.train"
    MODEL_EVALUATE = "model.evaluate"
    MODEL_COMPARE = "model.compare"
    INDEX_MAKE = "index.make"
    BUNDLE_MAKE = "bundle.make"
    BUNDLE_DEPLOY = "bundle.deploy"
    HEALTH_CHECK = "health.check"
    SERVING_START = "serving.start"
    SERVING_RECOMMEND = "serving.recommend"
    SERVING_EVENTS = "serving.events"
    SERVING_READ = "serving.read"
    PERSONAL_READ = "personal.read"
    PERSONAL_ERASE = "personal.erase"
    ACCESS_CHANGE = "access.change"
    AUDIT_READ = "audit.read"


class Role(StrEnum):
    """What an actor is trusted with."""

    OWNER = "owner"
    OPERATOR = "operator"
    ANALYST = "analyst"
    MERCHANDISER = "merchandiser"
    SERVICE = "service"


_LOOK = frozenset({Action.SHOP_READ, Action.SERVING_READ, Action.SERVING_RECOMMEND})
_STEPS = frozenset(
    {
        Action.EVENTS_INGEST,
        Action.SESSIONS_MAKE,
        Action.FEATURES_MAKE,
        Action.MODEL_TRAIN,
        Action.MODEL_EVALUATE,
        Action.INDEX_MAKE,
        Action.BUNDLE_MAKE,
        Action.HEALTH_CHECK,
    }
)
_STUDY = frozenset({Action.MODEL_COMPARE, Action.SHOP_SIMULATE})

ALLOWED: dict[Role, frozenset[Action]] = {
    Role.OWNER: frozenset(Action),
    Role.OPERATOR: _LOOK
    | _STEPS
    | _STUDY
    | {Action.SHOP_INIT, Action.BUNDLE_DEPLOY, Action.SERVING_START, Action.TABLES_COMPACT, Action.RUN_REPLAY},
    Role.ANALYST: _LOOK | _STUDY | {Action.MODEL_TRAIN, Action.MODEL_EVALUATE, Action.HEALTH_CHECK},
    Role.MERCHANDISER: _LOOK,
    Role.SERVICE: frozenset({Action.SERVING_RECOMMEND, Action.SERVING_EVENTS, Action.SERVING_READ}),
}
"""Role -> what it may do. Personal data and who may do what are the owner's alone."""

AUDITED = (
    _STEPS
    | {Action.SHOP_INIT, Action.BUNDLE_DEPLOY, Action.SERVING_START, Action.TABLES_COMPACT, Action.RUN_REPLAY}
    | {Action.PERSONAL_ERASE, Action.ACCESS_CHANGE, Action.AUDIT_READ}
)
"""Actions that are written down whenever they are allowed: changes, and reading the audit log itself."""


class ActorKind(StrEnum):
    """Who acts."""

    OS_USER = "os_user"
    PERSON = "person"
    SERVICE = "service"


class Actor(msgspec.Struct, frozen=True, kw_only=True):
    """Somebody, or something, that asks to do things.

    Args:
        kind: A user of the operating system, a person who signed in, or a program with a key.
        name: A name that stays the same.
        roles: What the actor is trusted with.
        organisation: Whose resources the roles are for.
    """

    kind: ActorKind
    name: str
    roles: frozenset[Role]
    organisation: str

    def __str__(self) -> str:
        return f"{self.kind}:{self.name}"


class Resource(msgspec.Struct, frozen=True, kw_only=True):
    """What an action is done to.

    Args:
        name: Kind and name, such as `table/events`, `bundle/2016-09-15-0db11465ff5d` or `user/<keyed hash>`.
        organisation: Who owns it.
        project: The shop.
        region: Where its data may lie.

    Raises:
        ValueError: `name` holds a raw id of a person.
    """

    name: str
    organisation: str = "local"
    project: str = ""
    region: str = ""

    def __post_init__(self) -> None:
        """Refuse a raw id before it can be told in an error or written down."""
        if names_a_person(self.name):
            raise ValueError("the name of a resource names a person: write the keyed hash")


def local_actor() -> Actor:
    """Return the user of the operating system, who owns what is in organisation `local`.

    The name is that of the process's effective user, which `USER` in the environment cannot change.
    """
    number = os.geteuid()
    try:
        name = pwd.getpwuid(number).pw_name
    except KeyError:  # a container may run under a number that has no name
        name = f"uid-{number}"
    return Actor(kind=ActorKind.OS_USER, name=name, roles=frozenset({Role.OWNER}), organisation="local")


def require(actor: Actor, action: Action, resource: Resource, *, audit: AuditLog, at_us: int) -> None:
    """Let an actor do something, or refuse; write down what has to be.

    Written down are every refusal, every change, and every reading of personal data that is not a program's own work.
    A recommendation that is served is not: the slates tell it.

    Args:
        actor: Who asks.
        action: What for.
        resource: To do it to.
        audit: Where it is written down.
        at_us: The present instant, microseconds UTC.

    Raises:
        AccessError: The actor may not. The error names the roles that may.
    """
    reason = _refusal(actor, action, resource)
    is_person_reading = action is Action.PERSONAL_READ and actor.kind is not ActorKind.SERVICE
    if reason or action in AUDITED or is_person_reading:
        audit.append(
            AuditRow(
                at_us=at_us,
                actor=str(actor),
                action=action.value,
                resource=resource.name,
                outcome="refused" if reason else "allowed",
                organisation=resource.organisation,
                project=resource.project,
                region=resource.region,
                detail=reason,
            )
        )
    if reason:
        raise AccessError(
            f"{actor} may not {action.value} {resource.name}: {reason}",
            fix=f"ask an owner of organisation '{resource.organisation}' for one of the roles {_roles(action)}",
            code=Code.ACCESS_DENIED,
        )


def _refusal(actor: Actor, action: Action, resource: Resource) -> str:
    """Return why the actor may not, or ""."""
    if actor.organisation != resource.organisation:
        return f"it belongs to organisation '{resource.organisation}', the actor to '{actor.organisation}'"
    if not any(action in ALLOWED[role] for role in actor.roles):
        return f"it has the roles {', '.join(sorted(actor.roles)) or '(none)'}"
    return ""


def _roles(action: Action) -> str:
    return ", ".join(role.value for role in Role if action in ALLOWED[role])
