import msgspec
import pytest

from endcap.core.errors import Code, LedgerError
from endcap.flows.runs import find_run

pytestmark = pytest.mark.slow


@pytest.fixture
def flow(own_shop, flow_of):
    return flow_of(own_shop)


def only_run(flow):
    (path,) = flow.shop.runs.glob("*.json")
    return path


def test_a_run_goes_by_its_id_and_by_a_bundle_that_it_made_also_when_that_was_tidied_away(flow):
    path, bundle = only_run(flow), flow.shop.bundle_in_force()
    assert find_run(flow, path.stem).run_id == path.stem
    assert find_run(flow, bundle).run_id == path.stem
    (flow.shop.bundles / bundle / "manifest.json").unlink()
    assert find_run(flow, bundle).run_id == path.stem


def test_an_unknown_name_is_told_with_the_near_ones(flow):
    run = only_run(flow).stem
    for name in (run[:-2], "../endcap"):
        with pytest.raises(LedgerError, match="there is no run or bundle") as caught:
            find_run(flow, name)
        assert caught.value.code == Code.RUN_UNKNOWN
    with pytest.raises(LedgerError, match=f"did you mean '{run}'"):
        find_run(flow, run[:-2])


def test_a_run_that_the_ledger_knows_and_that_left_no_manifest_is_told_as_such(flow):
    run = only_run(flow).stem
    only_run(flow).unlink()
    for name in (run, flow.shop.bundle_in_force()):
        with pytest.raises(LedgerError, match=f"the run {run} left no manifest") as caught:
            find_run(flow, name)
        assert caught.value.code == Code.RUN_UNKNOWN


def test_a_damaged_manifest_is_told(flow):
    path = only_run(flow)
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(LedgerError, match="manifest is damaged") as caught:
        find_run(flow, path.stem)
    assert caught.value.code == Code.RUN_DAMAGED


def test_a_manifest_of_an_earlier_version_is_read(flow):
    path = only_run(flow)
    told = msgspec.json.decode(path.read_bytes())
    del told["tables"], told["outputs"]
    path.write_bytes(msgspec.json.encode(told))
    assert find_run(flow, path.stem).tables == []
