"""The embedded servers in the background, for work on the code: `eval "$(python -m comp.local.dev up)"`.

`up` starts them and prints the environment, `env` prints it, `down` stops them. `make run` uses the same servers and
the same data folder.
"""

from __future__ import annotations

import os
import shlex
import sys
from pathlib import Path

from comp.local import roles
from comp.local.postgres import SUPERUSER, Postgres
from comp.local.valkey import Valkey

DATABASE = "comp"
CHECKOUT = Path(__file__).resolve().parents[2]


def data_folder() -> Path:
    """Where the embedded servers keep their data: COMP_DATA, or `.comp` in the checkout."""
    return Path(os.environ.get("COMP_DATA") or CHECKOUT / ".comp").resolve()


def environment(data: Path) -> dict[str, str]:
    """The variables by which comp.settings finds the embedded servers."""
    postgres = Postgres(data)
    return {
        "DATABASE_URL": postgres.url(DATABASE, roles.OWNER),
        "DATABASE_APP_URL": postgres.url(DATABASE, roles.APP),
        "REDIS_URL": Valkey(data).url,
    }


def up(data: Path) -> dict[str, str]:
    """Start both servers, make roles and database, and give the environment."""
    postgres = Postgres(data)
    postgres.start()
    roles.prepare(postgres.url("postgres", SUPERUSER), DATABASE)
    Valkey(data).start()
    return environment(data)


def down(data: Path) -> None:
    """Stop both servers; their data stays."""
    Valkey(data).stop()
    Postgres(data).stop()


def main(arguments: list[str]) -> int:
    """Exit status 2 when the one argument is not up, down or env."""
    data = data_folder()
    match arguments:
        case ["up"]:
            shown = up(data)
        case ["env"]:
            shown = environment(data)
        case ["down"]:
            down(data)
            return 0
        case _:
            print("usage: python -m comp.local.dev up|down|env", file=sys.stderr)
            return 2
    for name, value in shown.items():
        print(f"export {name}={shlex.quote(value)}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
