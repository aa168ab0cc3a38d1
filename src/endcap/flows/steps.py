"""The STEPS table: every step of a refresh, in order. Backfills, schedules and bills are made from the same table."""

from endcap.core.contract import Table
from endcap.core.tables import (
    BOTS,
    CATALOGUE,
    ELEMENTS,
    EVENTS,
    EXAMPLES,
    EXPOSURES,
    IDENTITIES,
    ITEM_DAYS,
    ITEM_FEATURES,
    ITEM_MENTIONS,
    ITEMS,
    LOGINS,
    QUALITY,
    QUARANTINE,
    SEQUENCES,
    SESSIONS,
    SLATES,
    USER_DAYS,
    USER_FEATURES,
)
from endcap.flows import (
    catalogue_steps,
    deploy,
    feature_steps,
    intake_steps,
    people_steps,
    pull_steps,
    quality_steps,
    session_steps,
    tracking,
    watch,
)
from endcap.flows import model_steps as models
from endcap.flows.flow import Step
from endcap.governance.access import Action

__all__ = ["FIRST_STEP", "STEPS"]

FIRST_STEP = "ingest"
"""The step that learns which days there are; before it stands what brings files to it."""

_PULL_CODE = (
    "events/place_config.py",
    "events/pulled_objects.py",
    "events/pulled_rows.py",
    "events/row_values.py",
    "flows/pull_steps.py",
)

_MODEL_CODE = (
    "models", "flows/fitted.py", "flows/folder.py", "flows/model_data.py", "flows/model_steps.py", "flows/training.py",
)  # fmt: skip

_PEOPLE_CODE = ("events/bots.py", "events/identities.py", "flows/people.py")
"""What turns events into those of people."""

_CODE_BESIDES = {"examples": ("flows/neighbours.py", "index/flat.py")}
"""What of other rooms a data step uses: hard negatives are neighbours in an index."""

_STEPS_OF = {
    **dict.fromkeys(("ingest", "slates"), intake_steps),
    **dict.fromkeys(("logins", "identities"), people_steps),
    **dict.fromkeys(("catalogue", "mentions", "items"), catalogue_steps),
    **dict.fromkeys(("sessions", "exposures"), session_steps),
    **dict.fromkeys(("daily", "item_features", "user_features", "sequences", "examples"), feature_steps),
}
"""Where each data step is told."""

_WHOLE = ("catalogue", "items")
"""Data steps whose partitions are made together: a feed is judged by the one before it, items are one table."""

_ROWS_EACH = {
    "item_features": {ITEM_DAYS.name: 30},
    "user_features": {USER_DAYS.name: 30},
    "sequences": {ELEMENTS.name: 2},
    "examples": {SEQUENCES.name: 20},
}
"""Data steps that make much of little: a day of an item or a user is summed up for each of 30 days after; an element
stands in the sequence of its session and in the histories of its user; a session of eight visits makes seven examples,
each with its context and its negatives."""

_IN_ORDER = ("ingest",)
"""Data steps whose days look back: the last hour of the day before, as it was taken in."""

_SECTIONS = {
    "events": ("events",),
    "identities": ("identities",),
    "sessions": ("sessions", "identities"),
    # What counts as a click is a setting of sessions that the features of items read too.
    "features": ("features", "sessions", "identities"),
}
"""Which settings the data steps of a section read."""


def _data_step(name: str, verb: str, action: Action, section: str, *writes: Table) -> Step:
    module, room = _STEPS_OF[name], "events" if section == "identities" else section
    plan, run = getattr(module, f"plan_{name}"), getattr(module, f"run_{name}")
    code = (room, "flows/plans.py", f"flows/{module.__name__.rpartition('.')[2]}.py", *_CODE_BESIDES.get(name, ()))
    people = () if room == "events" else _PEOPLE_CODE
    return Step(
        name, verb, action, (*code, *people), _SECTIONS[section], plan, run, writes,
        by_day=name not in _WHOLE, in_order=name in _IN_ORDER,
        rows_each=_ROWS_EACH.get(name, {}),
    )  # fmt: skip


STEPS: tuple[Step, ...] = (
    Step("pull", "ingest", Action.EVENTS_INGEST, _PULL_CODE, (), pull_steps.plan_pull, pull_steps.run_pull,
         is_wanted=pull_steps.pulls, is_there=pull_steps.is_pull_there),
    _data_step("ingest", "ingest", Action.EVENTS_INGEST, "events", EVENTS, QUARANTINE),
    _data_step("logins", "ingest", Action.EVENTS_INGEST, "identities", LOGINS, BOTS),
    _data_step("identities", "ingest", Action.EVENTS_INGEST, "identities", IDENTITIES),
    _data_step("catalogue", "ingest", Action.EVENTS_INGEST, "events", CATALOGUE, QUARANTINE),
    _data_step("mentions", "ingest", Action.EVENTS_INGEST, "events", ITEM_MENTIONS),
    _data_step("items", "ingest", Action.EVENTS_INGEST, "events", ITEMS),
    _data_step("slates", "ingest", Action.EVENTS_INGEST, "events", SLATES, QUARANTINE),
    Step(
        "quality", "ingest", Action.HEALTH_CHECK, ("monitoring/profile.py", "flows/quality_steps.py"), (),
        quality_steps.plan_quality, quality_steps.run_quality, (QUALITY,), is_there=quality_steps.is_quality_there,
        by_day=True, in_order=True,  # the page of the last day looks back on the others
    ),
    _data_step("sessions", "sessionize", Action.SESSIONS_MAKE, "sessions", SESSIONS),
    _data_step("exposures", "sessionize", Action.SESSIONS_MAKE, "sessions", EXPOSURES),
    _data_step("daily", "featurize", Action.FEATURES_MAKE, "features", ITEM_DAYS, USER_DAYS, ELEMENTS),
    _data_step("item_features", "featurize", Action.FEATURES_MAKE, "features", ITEM_FEATURES),
    _data_step("user_features", "featurize", Action.FEATURES_MAKE, "features", USER_FEATURES),
    _data_step("sequences", "featurize", Action.FEATURES_MAKE, "features", SEQUENCES),
    _data_step("examples", "featurize", Action.FEATURES_MAKE, "features", EXAMPLES),
    Step("train", "train", Action.MODEL_TRAIN, _MODEL_CODE, ("models",), models.plan_train, models.run_train,
         is_there=models.is_model_there),
    Step("index", "index", Action.INDEX_MAKE, ("index", *_MODEL_CODE), ("index",), models.plan_index, models.run_index,
         is_there=models.is_index_there),
    Step(
        "evaluate", "evaluate", Action.MODEL_EVALUATE, _MODEL_CODE, ("models",), models.plan_evaluate,
        models.run_evaluate, is_there=models.is_evaluation_there,
    ),
    Step(
        "bundle", "bundle", Action.BUNDLE_DEPLOY,
        ("features/declared.py", "features/device_owners.py", "features/keyed_arrays.py", "features/online.py",
         "features/visitor_rows.py", "flows/deploy.py", "flows/fitted.py", "flows/folder.py", "flows/model_data.py",
         "flows/visitor_data.py", "models", *_PEOPLE_CODE),
        (), deploy.plan_bundle, deploy.run_bundle, is_there=deploy.is_bundle_there,
    ),
    Step(
        "monitor", "monitor", Action.HEALTH_CHECK, ("monitoring", "flows/watch.py"), ("monitoring",),
        watch.plan_monitor, watch.run_monitor, is_there=watch.is_report_there,
    ),
    Step(  # last: what is in force does not wait for a server that is away
        "track", "track", Action.MODEL_TRAIN, ("stores/tracking.py", "stores/adapters/mlflow.py", "flows/tracking.py"),
        ("tracking",), tracking.plan_track, tracking.run_track, is_wanted=tracking.is_tracked,
    ),
)  # fmt: skip
