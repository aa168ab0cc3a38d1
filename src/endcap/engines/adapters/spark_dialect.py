"""Where Spark says another thing than DuckDB by the same expression: what Ibis compiles is mended here.

Both engines must give the same rows. Texts are read as DuckDB reads them, numbers are written and rounded likewise.
"""

from typing import Any

import ibis.expr.datatypes as dt
import ibis.expr.operations as ops
import sqlglot as sg
import sqlglot.expressions as sge
from ibis.backends.sql.compilers.pyspark import PySparkCompiler

__all__ = ["SparkDialect"]

# Each is a rule for one value `v`; `{v}` stands once, so that a long expression is not repeated.
_NUMBER = r"""
CASE WHEN rlike(v, r'^\s*[+-]?([0-9](_?[0-9])*\.?([0-9](_?[0-9])*)?|\.[0-9](_?[0-9])*)([eE][+-]?[0-9]+)?\s*\z')
    OR rlike(v, r'(?i)^\s*[+-]?(nan|inf|infinity)\s*\z')
    THEN TRY_CAST(replace(v, '_', '') AS DOUBLE) END
"""

_WHOLE = r"""
CASE WHEN rlike(v, r'^\s*[+-]?[0-9](_?[0-9])*\s*\z') THEN TRY_CAST(replace(v, '_', '') AS BIGINT)
    WHEN rlike(v, r'^\s*[+-]?([0-9](_?[0-9])*\.?([0-9](_?[0-9])*)?|\.[0-9](_?[0-9])*)([eE][+-]?[0-9]+)?\s*\z')
    THEN TRY_CAST(round(TRY_CAST(replace(v, '_', '') AS DECIMAL(38, 10))) AS BIGINT) END
"""

_INSTANT = r"""
CASE WHEN rlike(v, r'(?i)^\s*[0-9]{4}([-/])[0-9]{1,2}\1[0-9]{1,2}([ T][0-9]{1,2}:[0-9]{1,2}(:[0-9]{1,2}(\.[0-9]*)?)?'
    || r'( ?(Z|UTC|GMT|[+-][0-9]{2}(:?[0-9]{2})?))?)?\s*\z')
    THEN TRY_CAST(regexp_replace(replace(trim(v), '/', '-'), r'([+-][0-9]{2})([0-9]{2})\z', '$1:$2') AS TIMESTAMP) END
"""

# Java writes 1.0E7 where DuckDB writes 10000000.0; both write the shortest digits that mean the number.
_TEXT = r"""
CASE WHEN isnan(v) THEN 'nan' WHEN v = DOUBLE('Infinity') THEN 'inf' WHEN v = DOUBLE('-Infinity') THEN '-inf'
    WHEN v = 0 OR abs(v) >= 1e-3 AND abs(v) < 1e7 THEN CAST(v AS STRING)
    WHEN abs(v) >= 1e-4 AND abs(v) < 1e16 THEN regexp_replace(
        regexp_replace(CAST(CAST(CAST(v AS STRING) AS DECIMAL(38, 22)) AS STRING), r'0+\z', ''), r'\.\z', '.0')
    ELSE regexp_replace(regexp_replace(regexp_replace(regexp_replace(CAST(v AS STRING),
        r'\.0E', 'E'), r'E([0-9])', 'e+$1'), 'E-', 'e-'), r'e([+-])([0-9])\z', 'e$10$2') END
"""


class SparkDialect(PySparkCompiler):  # type: ignore[misc] # Ibis has no types
    """Ibis' compiler for Spark, and what it leaves to chance."""

    SIMPLE_OPS = {ops.Hash: "xxhash64"}  # noqa: RUF012 - Ibis' name; of 32 bits, a hundred thousand rows share some

    def visit_Cast(self, op: Any, *, arg: Any, to: Any) -> Any:
        """Write a float as DuckDB does, and round it to a whole number instead of cutting it off."""
        if op.arg.dtype.is_floating() and to.is_string():
            return _ruled(_TEXT, arg)
        if op.arg.dtype.is_floating() and to.is_integer():
            return self.cast(self.f.rint(arg), to)
        return super().visit_Cast(op, arg=arg, to=to)

    def visit_TryCast(self, op: Any, *, arg: Any, to: Any) -> Any:
        """Take for numbers and times what DuckDB takes for them."""
        if op.arg.dtype.is_string():
            rules = ((to.is_floating(), _NUMBER), (to.is_integer(), _WHOLE), (to.is_timestamp(), _INSTANT))
            for applies, rule in rules:
                if applies:
                    return self._try(_ruled(rule, arg), to)
        if op.arg.dtype.is_floating() and to.is_integer():
            return self._whole(arg, to)
        return self._try(arg, to)

    def _whole(self, arg: Any, to: Any) -> Any:
        """Round; what the type does not hold is missing, where Spark's own cast would take the nearest it holds."""
        bits = 8 * to.nbytes - 1
        fits = sg.and_(arg >= sge.convert(-(2.0**bits)), arg < sge.convert(2.0**bits))
        return sge.If(this=fits, true=self.cast(self.f.rint(arg), to), false=sge.Null())

    def _try(self, arg: Any, to: Any) -> Any:
        return sge.TryCast(this=arg, to=self.type_mapper.from_ibis(to))

    def visit_IsNull(self, op: Any, *, arg: Any) -> Any:  # noqa: ARG002 - Ibis' names
        """NaN is a value."""
        return arg.is_(sge.Null())

    def visit_NotNull(self, op: Any, *, arg: Any) -> Any:  # noqa: ARG002 - Ibis' names
        """NaN is a value."""
        return arg.is_(sg.not_(sge.Null()))

    def visit_ExtractMicrosecond(self, op: Any, *, arg: Any) -> Any:  # noqa: ARG002 - Ibis' names
        """Ibis has no rule for it."""
        return self.cast(
            self.f.anon.pmod(self.f.anon.unix_micros(self.cast(arg, dt.Timestamp("UTC"))), 1_000_000), dt.int32
        )

    def visit_RegexSearch(self, op: Any, *, arg: Any, pattern: Any) -> Any:
        """Have `$` mean the end of the text: to Java it also stands before a last line break."""
        if isinstance(op.pattern, ops.Literal):
            pattern = sge.convert(_ends(op.pattern.value))
        return self.f.anon.rlike(arg, pattern)


def _ends(pattern: str) -> str:
    r"""Return a pattern of RE2 as Java reads it.

    >>> _ends(r"^a$|b\$") == r"^a\z|b\$"
    True
    """
    said, place = "", 0
    while place < len(pattern):
        if pattern[place] == "\\":
            said += pattern[place : place + 2]
            place += 2
            continue
        said += r"\z" if pattern[place] == "$" and not _in_class(pattern[:place]) else pattern[place]
        place += 1
    return said


def _in_class(before: str) -> bool:
    plain = before.replace("\\\\", "").replace("\\[", "").replace("\\]", "")
    return plain.rfind("[") > plain.rfind("]")


def _ruled(rule: str, arg: Any) -> Any:
    """Apply a rule to a value: by a list of one, so that the value is written, and computed, once."""
    made = sg.parse_one(f"element_at(transform(array(NULL), v -> {rule}), 1)", dialect="spark")
    array = next(made.find_all(sge.Array))
    array.set("expressions", [arg.copy()])
    return made
