"""What training reads: sequences in shards, of which a few are in memory at a time.

Shapes: K shards, N items.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields
from typing import Any, Protocol

import numpy as np

from endcap.core.sequences import Sequences
from endcap.models.protocols import keep
from endcap.models.training.settings import TrainingSettings

__all__ = ["InMemory", "Source", "held_out", "one_after_another", "walk", "windows"]


class Source(Protocol):
    """Sequences in K shards; a shard is read as often as it is asked for, and is the same each time."""

    @property
    def sizes(self) -> Sequence[int]:
        """Elements of each shard."""
        ...

    @property
    def window(self) -> int:
        """Elements that may be in memory at once; one shard always may."""
        ...

    def read(self, shards: Sequence[int]) -> Sequences:
        """Read some shards as one, in the order in which they are named."""
        ...


@dataclass(frozen=True)
class InMemory:
    """All sequences, as one shard."""

    sequences: Sequences

    @property
    def sizes(self) -> Sequence[int]:
        """One shard."""
        return [len(self.sequences.items)]

    @property
    def window(self) -> int:
        """All of it."""
        return len(self.sequences.items)

    def read(self, shards: Sequence[int]) -> Sequences:
        """Return all of it."""
        assert list(shards) == [0], f"there is one shard, and {shards} were asked for"
        return self.sequences


def windows(source: Source, rng: np.random.Generator) -> Iterator[tuple[int, ...]]:
    """Yield all shards in a random order, as many at a time as fit into memory: a pass shuffles within these.

    Args:
        source: What is read.
        rng: Of the pass.
    """
    window: list[int] = []
    size = 0
    for shard in rng.permutation(len(source.sizes)).tolist():
        if window and size + source.sizes[shard] > source.window:
            yield tuple(window)
            window, size = [], 0
        window.append(shard)
        size += source.sizes[shard]
    if window:
        yield tuple(window)


def walk(
    source: Source, nums: Sequence[int], *, passes: int, done: int, seed: int
) -> Iterator[tuple[tuple[int, ...], int]]:
    """Yield the windows of all passes that end after a cursor, and where each begins.

    Args:
        source: What is read.
        nums: Examples of each shard.
        passes: How often each shard is read.
        done: The cursor: examples that are done.
        seed: Of the run.
    """
    num = sum(nums)
    for number in range(done // num if num else passes, passes):
        begin = number * num
        for window in windows(source, np.random.default_rng([seed, number])):
            end = begin + sum(nums[shard] for shard in window)
            if end > done:
                yield window, begin
            begin = end


@dataclass(frozen=True)
class Part:
    """Some of the sequences of another source.

    Args:
        whole: The other source.
        spans: For each shard of this one, the shard of the other, and the first and the end of its sequences.
    """

    whole: Source
    spans: tuple[tuple[int, int, int], ...]
    sizes: Sequence[int]

    @property
    def window(self) -> int:
        """As of the other source."""
        return self.whole.window

    def read(self, shards: Sequence[int]) -> Sequences:
        """Read some shards as one."""
        return one_after_another([self._shard(*self.spans[shard]) for shard in shards])

    def _shard(self, shard: int, first: int, end: int) -> Sequences:
        found = self.whole.read([shard])
        number_E = found.sequence_of()
        return keep(found, (number_E >= first) & (number_E < end))


def held_out(source: Source, settings: TrainingSettings) -> tuple[Source, Source | None]:
    """Return what is learned from and the validation part: the latest sequences, where training may stop early.

    Args:
        source: Sequences in order of time, within shards and over them.
        settings: `patience` and `validation_share`.

    Returns:
        Both parts; one sequence at least is held out, and without two sequences there is no validation part.
    """
    nums = [len(source.read([shard])) for shard in range(len(source.sizes))] if settings.patience else []
    if sum(nums) < 2:
        return source, None
    learned = sum(nums) - min(max(round(settings.validation_share * sum(nums)), 1), sum(nums) - 1)
    earlier, later, before = [], [], 0
    for shard, num in enumerate(nums):
        cut = min(max(learned - before, 0), num)
        earlier += [(shard, 0, cut)] if cut else []
        later += [(shard, cut, num)] if cut < num else []
        before += num
    return _part(source, earlier), _part(source, later)


def one_after_another(parts: Sequence[Sequences]) -> Sequences:
    """Return several sequences as one, at least one of them; what only some have beside their elements is left out."""
    if len(parts) == 1:
        return parts[0]
    ends = np.cumsum([0, *(len(part.items) for part in parts)])
    values: dict[str, Any] = {
        name: None if any(each is None for each in found) else np.concatenate(found)
        for name, found in ((each.name, [getattr(part, each.name) for part in parts]) for each in fields(Sequences))
        if name != "starts"
    }
    starts = [part.starts[:-1] - part.starts[0] + end for part, end in zip(parts, ends[:-1], strict=True)]
    return Sequences(starts=np.concatenate([*starts, ends[-1:]]).astype(np.int64), **values)


def _part(whole: Source, spans: list[tuple[int, int, int]]) -> Part:
    sizes = []
    for shard, first, end in spans:
        starts = whole.read([shard]).starts
        sizes.append(int(starts[end] - starts[first]))
    return Part(whole, tuple(spans), sizes)
