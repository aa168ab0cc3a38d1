"""The STEPS table: every step of a refresh, in order. Backfills, schedules and bills are made from the same table."""

from endcap.core.contract import Table
from endcap.core.tables import (
    EVENTS,
    EXAMPLES,
    EXPOSURES,
    ITEM_FEATURES,
    ITEMS,
    QUARANTINE,
    SEQUENCES,
    SESSIONS,
    SLATES,
    USER_FEATURES,
)
from endcap.flows import deploy, feature_steps, intake_steps, session_steps, watch
from endcap.flows import model_steps as models
from endcap.flows.flow import Step
from endcap.governance.access import Action

__all__ = ["FIRST_STEP", "STEPS"]

FIRST_STEP = "ingest"
"""The step that learns which days there are."""

_MODEL_CODE = ("models", "flows/folder.py", "flows/model_data.py", "flows/model_steps.py")


_STEPS_OF = {"events": intake_steps, "sessions": session_steps, "features": feature_steps}


def _data_step(name: str, verb: str, action: Action, rooms: tuple[str, ...], *writes: Table) -> Step:
    module = _STEPS_OF[rooms[0]]
    plan, run = getattr(module, f"plan_{name}"), getattr(module, f"run_{name}")
    code = (*rooms, "flows/plans.py", f"flows/{module.__name__.rpartition('.')[2]}.py")
    # What counts as a click is a setting of sessions that the features of items read too.
    sections = (*rooms, "sessions") if rooms == ("features",) else rooms
    return Step(name, verb, action, code, sections, plan, run, writes)


STEPS: tuple[Step, ...] = (
    _data_step("ingest", "ingest", Action.EVENTS_INGEST, ("events",), EVENTS, QUARANTINE),
    _data_step("items", "ingest", Action.EVENTS_INGEST, ("events",), ITEMS, QUARANTINE),
    _data_step("slates", "ingest", Action.EVENTS_INGEST, ("events",), SLATES, QUARANTINE),
    _data_step("sessions", "sessionize", Action.SESSIONS_MAKE, ("sessions",), SESSIONS),
    _data_step("exposures", "sessionize", Action.SESSIONS_MAKE, ("sessions",), EXPOSURES),
    _data_step("item_features", "featurize", Action.FEATURES_MAKE, ("features",), ITEM_FEATURES),
    _data_step("user_features", "featurize", Action.FEATURES_MAKE, ("features",), USER_FEATURES),
    _data_step("sequences", "featurize", Action.FEATURES_MAKE, ("features",), SEQUENCES),
    _data_step("examples", "featurize", Action.FEATURES_MAKE, ("features",), EXAMPLES),
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
        ("features/declared.py", "features/online.py", "features/visitor_rows.py", "flows/deploy.py", "flows/folder.py",
         "flows/model_data.py", "flows/visitor_data.py"),
        (), deploy.plan_bundle, deploy.run_bundle, is_there=deploy.is_bundle_there,
    ),
    Step(
        "monitor", "monitor", Action.HEALTH_CHECK, ("monitoring", "flows/watch.py"), ("monitoring",),
        watch.plan_monitor, watch.run_monitor, is_there=watch.is_report_there,
    ),
)  # fmt: skip
