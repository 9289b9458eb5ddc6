def mailbox_drain(tenant_id: int) -> int:
    return 0
