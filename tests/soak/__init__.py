"""The long fault runs of docs/reliability.md: real PostgreSQL, Redis and processes, which are killed, emptied, frozen
and filled while events come in. Each run ends with the figures of an undisturbed one and with nothing waiting."""
