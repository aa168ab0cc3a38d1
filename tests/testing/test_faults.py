from endcap.testing.faults import Fault, FaultKind, Operations


def test_several_processes_count_in_one_file_and_what_lies_within_another_is_not_counted(tmp_path):
    one, other = (Operations(tmp_path / "log", Fault(FaultKind.TORN, "file", 3)) for _ in range(2))
    assert one.begin("file") is None
    assert one.begin("within") is None
    for _ in range(2):
        one.end()
    assert other.begin("file") is None
    other.end()
    assert one.count("file") is FaultKind.TORN
    assert other.count("file") is None
    assert (tmp_path / "log").read_text().split() == ["file"] * 4
