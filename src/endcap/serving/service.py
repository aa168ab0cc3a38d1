"""What a server process does, without HTTP: answers questions, takes in events, and keeps its logs and bundle."""

import asyncio
import contextlib
import itertools
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import NamedTuple

import msgspec
import structlog

from endcap.core.clock import Clock, day_start_us
from endcap.core.errors import BundleError, StoreError
from endcap.core.ids import user_key
from endcap.core.landed import LandedEvent
from endcap.serving.bundle import LoadScorer
from endcap.serving.config import ServingConfig
from endcap.serving.current import CurrentBundle
from endcap.serving.events_log import EventsLog
from endcap.serving.far_bundles import FarBundles
from endcap.serving.intake import Intake
from endcap.serving.landed import landed_slate
from endcap.serving.meters import Meters
from endcap.serving.reading import read_rows, request_error
from endcap.serving.recommender import Recommended, Recommender, Visitor
from endcap.serving.segments import SegmentWriter, adopt
from endcap.serving.slates_log import SlatesLog
from endcap.serving.state import VisitorState
from endcap.serving.wire import EventsAnswer, Explained, Explanation, RecommendRequest
from endcap.stores.bundles import BundlePlace
from endcap.stores.kv import KeyValues

__all__ = ["Answered", "Service", "Setting"]

_log = structlog.get_logger()

_TICK_S = 0.5
_TICKS_BETWEEN_ADOPTIONS = 60
_REMEMBERED_IDS = 65_536
_BETWEEN_PRUNINGS_US = 60_000_000
_OPEN_LONGER_US = 600_000_000  # a segment may outlive its age by the time that the keeper waits for disk or a bundle

_requests = msgspec.json.Decoder(RecommendRequest)
_encoder = msgspec.json.Encoder()


@dataclass(frozen=True, kw_only=True)
class Setting:
    """Where a service stands.

    Args:
        bundles: Folder of the bundles, with the file `current` in it.
        landing: Folder that gets `events/` and `slates/`.
        kv: Visitors' live state; None to do without.
        config: `[serving]` of endcap.toml.
        user_key: The shop's key, 32 bytes.
        clock: The present instant.
        new_id: Makes the id of each slate.
        load_scorer: Reads a model's folder.
        default_currency: Of amounts whose event names none, as events.default_currency.
        far_bundles: The bucket that `bundles` follows; None where the folder is all.
    """

    bundles: Path
    landing: Path
    kv: KeyValues | None
    config: ServingConfig
    user_key: bytes
    clock: Clock
    new_id: Callable[[], str]
    load_scorer: LoadScorer
    default_currency: str | None = None
    far_bundles: BundlePlace | None = None


class Answered(NamedTuple):
    """The answer to a question.

    Args:
        body: JSON of a Slate, Explained if that was asked for.
        model: The model that ordered it; "" where none could.
    """

    body: bytes
    model: str


class Service:
    """The parts of one server process, put together.

    Args:
        setting: Where it stands.
    """

    def __init__(self, setting: Setting) -> None:
        config = setting.config
        self.meters = Meters()
        self.current = CurrentBundle(setting.bundles, setting.load_scorer, clock=setting.clock, meters=self.meters)
        self.far = FarBundles(setting.far_bundles, clock=setting.clock, meters=self.meters)
        self._setting = setting
        self._state = (
            VisitorState(
                setting.kv,
                events=config.history_events,
                length=config.history_length,
                num_rows=config.feature_rows,
            )
            if setting.kv
            else None
        )
        self._recommender = Recommender(
            self.current,
            self._state,
            config=config,
            new_id=setting.new_id,
            meters=self.meters,
            clock=setting.clock,
        )
        self._intake = Intake(setting.user_key, setting.default_currency, config.future_tolerance_s * 1_000_000)
        self._folders = [setting.landing / "events", setting.landing / "slates"]
        self._events = EventsLog(self._writer(self._folders[0]))
        self._slates = SlatesLog(self._writer(self._folders[1]), self.meters)
        self._recent: OrderedDict[str, None] = OrderedDict()
        self._keeper: asyncio.Task[None] | None = None
        self._pruning: asyncio.Task[None] | None = None
        self._is_pruning_due = True
        self._pruned_us: int | None = None
        self.far.pull()
        self.current.look()

    async def start(self) -> None:
        """Close what dead processes left, make lost state again, and begin to keep logs and bundle."""
        for folder in self._folders:
            adopt(folder)
        if self._state is not None:
            try:
                segments = self._state.restore(self._folders[0], since_us=self._unknown_since_us())
                _log.info("state.ready", segments_read=segments)
            except StoreError as error:
                _log.warning("state.failed", error=error.what, fix=error.fix)
        self._keeper = asyncio.create_task(self._keep())

    async def stop(self) -> None:
        """Write what is waiting and close the segments."""
        if self._keeper is not None:
            self._keeper.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._keeper
        await self._events.close()
        await self._slates.close()
        if self._pruning is not None:  # a thread cannot be stopped, and it uses the store
            await self._pruning
        if self._setting.kv is not None:
            self._setting.kv.close()

    def recommend(self, body: bytes) -> Answered:
        """Answer one question.

        Args:
            body: JSON of a RecommendRequest.

        Raises:
            RequestError: The body cannot be read, or what it asks does not exist.
            BundleError: There is no bundle at all.
        """
        try:
            asked = _requests.decode(body)
        except msgspec.MsgspecError as error:
            raise request_error(error, RecommendRequest) from error
        except UnicodeDecodeError as error:
            raise request_error(msgspec.DecodeError("it is not UTF-8"), RecommendRequest) from error
        key = self._setting.user_key
        visitor = Visitor(
            user_key=user_key(user_id=asked.user_id, user_pseudo_id=asked.user_pseudo_id, key=key),
            device_key=user_key(user_id=None, user_pseudo_id=asked.user_pseudo_id, key=key),
        )
        found = self._recommender.recommend(
            visitor, placement=asked.placement, item_ids=asked.item_ids, n=asked.n, exclude=asked.exclude
        )
        line = landed_slate(found.slate, at_us=self._setting.clock(), user_key=visitor.user_key)
        self._slates.append(_encoder.encode(line) + b"\n")
        return Answered(_encoder.encode(_explained(found) if asked.explain else found.slate), found.answer.model)

    async def take(self, body: bytes, *, idempotency_key: str = "") -> EventsAnswer:
        """Take in events. When this returns they are on disk, and the next answer reflects them.

        Args:
            body: JSON of an EventRequest, or of a list of them.
            idempotency_key: Of the request: one that is sent again under it brings no event twice. "" for none.

        Raises:
            RequestError: The body is no JSON, or has too many events.
            StoreError: The events could not be written; none of them was taken.
        """
        arrived_us = self._setting.clock()
        rows = read_rows(body, most=self._setting.config.max_events)
        taken = self._intake.take(rows, now_us=arrived_us, idempotency_key=idempotency_key)
        new = [event for event in taken.events if event.event_id not in self._recent]
        if new:
            await self._events.append(b"".join(_encoder.encode(event) + b"\n" for event in new))
            self.meters.events.inc(len(new))
            self._remember(new)
            if self._feel(new):
                self.meters.event_lag.observe((self._setting.clock() - arrived_us) / 1e6)
        for rejected in taken.rejected:
            self.meters.events_rejected.labels(rejected.code).inc()
        return EventsAnswer(
            accepted=len(new),
            duplicates=taken.num_twice + len(taken.events) - len(new),
            rejected=tuple(taken.rejected),
        )

    def _remember(self, events: list[LandedEvent]) -> None:
        """Know events that are on disk when they are sent again."""
        self._recent.update(dict.fromkeys(event.event_id for event in events))
        while len(self._recent) > _REMEMBERED_IDS:
            self._recent.popitem(last=False)

    def _feel(self, events: list[LandedEvent]) -> bool:
        """Let the next answer reflect events that are on disk; return whether it does."""
        if self._state is None:
            return False
        try:
            self._state.record(events)
        except Exception as error:  # noqa: BLE001 - the log has them; the state can be made again from it
            self.meters.events_unfelt.inc(len(events))
            self._is_pruning_due = True  # most likely the store is full
            told, fix = (error.what, error.fix) if isinstance(error, StoreError) else (repr(error), "report it")
            _log.warning("state.failed", events=len(events), error=told, fix=fix)
            return False
        return True

    async def _keep(self) -> None:
        """Look after everything, twice a second."""
        for tick in itertools.count(1):
            await asyncio.sleep(_TICK_S)
            await self.keep(is_adopting=tick % _TICKS_BETWEEN_ADOPTIONS == 0)

    async def keep(self, *, is_adopting: bool) -> None:
        """Look after the bundle and the logs once.

        Args:
            is_adopting: Whether to look for segments of dead processes, too.
        """
        chores: list[Callable[[], Awaitable[object]]] = [
            self._look,
            self._slates.keep,
            self._events.keep,
            self._begin_pruning,
        ]
        if is_adopting:
            chores += [partial(asyncio.to_thread, adopt, folder) for folder in self._folders]
        for chore in chores:
            try:
                await chore()
            except Exception as error:  # noqa: BLE001 - the other chores go on, and this one is tried again
                _log.error("keeper.failed", error=f"{type(error).__name__}: {error}")

    def _writer(self, folder: Path) -> SegmentWriter:
        config = self._setting.config
        return SegmentWriter(
            folder,
            clock=self._setting.clock,
            max_bytes=config.segment_mb << 20,
            max_age_us=config.segment_s * 1_000_000,
        )

    async def _look(self) -> None:
        """Take up a new bundle if there is one, whose histories then know visitors that the state may forget."""
        await asyncio.to_thread(self.far.pull)
        if await asyncio.to_thread(self.current.look):
            self._is_pruning_due = True

    async def _begin_pruning(self) -> None:
        """Have the state forget, if that is due, whom the bundle knows; it goes on while others are answered."""
        now_us, until_us = self._setting.clock(), self._unknown_since_us()
        is_over = self._pruning is None or self._pruning.done()
        is_soon = self._pruned_us is not None and 0 <= now_us - self._pruned_us < _BETWEEN_PRUNINGS_US
        if self._state is None or not until_us or not self._is_pruning_due or not is_over or is_soon:
            return
        self._is_pruning_due, self._pruned_us = False, now_us
        self._pruning = asyncio.create_task(asyncio.to_thread(_prune, self._state, until_us))

    def _unknown_since_us(self) -> int:
        """Return the instant from which on a segment may hold what the bundle does not know, 0 without a bundle.

        The bundle's last day may have gone on after it was made, and a segment that was still being written is in no
        bundle, so this is the start of that day less the longest time that a segment is open.
        """
        try:
            through = self.current.get().manifest.through
        except BundleError:
            return 0
        return max(0, day_start_us(through) - self._setting.config.segment_s * 1_000_000 - _OPEN_LONGER_US)


def _prune(state: VisitorState, until_us: int) -> None:
    try:
        _log.info("state.pruned", visitors=state.prune(until_us=until_us))
    except Exception as error:  # noqa: BLE001 - the state stays as it is; it is tried again with the next bundle
        _log.warning("state.not_pruned", error=f"{type(error).__name__}: {error}")


def _explained(found: Recommended) -> Explained:
    slate, answer = found.slate, found.answer
    explanation = Explanation(
        model=answer.model,
        num_history=found.num_history,
        num_candidates=answer.num_candidates,
        removed=answer.removed,
        fallbacks=answer.fallbacks,
        features=dict(found.features().values),
        features_approximate=found.features().approximate,
    )
    return Explained(**msgspec.structs.asdict(slate), explanation=explanation)
