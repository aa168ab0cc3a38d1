from endcap.flows.ledger import Part
from endcap.flows.snapshot import snapshot


def test_numbering_and_order_and_empty_partitions_do_not_matter_and_content_does():
    one = snapshot("days", {"a": Part("x", 1, 0), "b": Part("y", 2, 3), "c": Part("empty", 0, 9)}, schema=2)
    other = snapshot("days", {"b": Part("y", 2, 7), "a": Part("x", 1, 4)})
    assert (one.rows, one.schema, other.version) == (3, 2, 7)
    assert one.digest == other.digest
    assert snapshot("days", {"a": Part("x", 1, 0), "b": Part("z", 2, 3)}).digest != one.digest
    assert snapshot("days", {}).version == -1


def test_a_version_in_which_a_partition_was_emptied_is_named_as_the_one_before_still_has_its_rows():
    assert snapshot("days", {"a": Part("x", 1, 7), "b": Part("empty", 0, 9)}).version == 9
