from endcap.governance.audit import AuditRow


def row(at_us):
    return AuditRow(at_us=at_us, actor="os_user:ann", action="shop.read", resource="shop", outcome="allowed",
                    organisation="local", project="tiny", region="local", detail="")  # fmt: skip


def test_rows_are_kept_and_told_newest_first(ledger):
    for at_us in (1, 2, 3):
        ledger.audit.append(row(at_us))
    assert [each["at_us"] for each in ledger.audit.rows(limit=2)] == [3, 2]
