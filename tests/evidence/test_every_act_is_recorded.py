"""Every service that writes leaves an audit entry, or stands below with the reason why it needs none.

The source is read, not run: from each public function of a module of services, calls are followed through the
project's own functions until one records.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parents[2]
#: What changes rows.
WRITES = {
    "save", "create", "update", "delete", "bulk_create", "bulk_update", "get_or_create", "update_or_create",
}  # fmt: skip
RECORDS = {"record", "_record"}

#: Modules whose writes are no person's act, each with the reason.
PROJECTIONS = {
    "comp/outbox/services.py": "messages in the transaction of the act that they tell of",
    "comp/audit/services.py": "the trail itself",
    "crediting/services/alignment.py": "what follows from rules and facts; the rules' change is recorded",
    "crediting/services/batches.py": "deliveries are kept as they came, by sender and moment",
    "crediting/services/bulk.py": "deliveries, as above",
    "crediting/services/facts.py": "revisions of facts: append-only, each with its delivery",
    "crediting/services/intake.py": "deliveries, as above",
    "crediting/services/mailbox.py": "drains: deliveries become revisions",
    "crediting/services/names.py": "what facts name, made as they come",
    "crediting/services/news.py": "questions that deliveries open",
    "crediting/services/other_facts.py": "revisions of facts, as above",
    "crediting/services/people.py": "what sources say of people: revisions, and services that record",
    "crediting/services/rates.py": "what sources say of rates, by the service that records",
    "crediting/services/records.py": "records folded from deliveries",
    "crediting/services/waiting.py": "questions that follow from credits",
    "payouts/services/claims.py": "figures: a projection, each change with its cause",
    "payouts/services/held.py": "which payables are held: follows from holds, which are recorded",
    "payouts/services/payables.py": "payables and open statements: a projection",
    "payouts/services/recompute.py": "figures, as above",
    "payouts/services/sampling.py": "alerts that a sample raises",
    "payouts/services/scopes.py": "work that news gives",
}
#: Functions that write and record nothing themselves, each with the reason.
REASONS = {
    "comp/api/services.py:key_open": "counts calls and the minute of the last use; opens no right",
    "comp/tenancy/services.py:user_create": "a log-in enters no company; its membership is recorded",
    "comp/people/erasure.py:erasures_drain": "does what erasure_do records",
    "payouts/services/erasing.py:attachments_erase": "a part of an erasure, whose count it gives",
    "comp/people/timeline.py:make_room": "a part of the services that set dated rows and record it",
    "crediting/services/issues.py:questions_open": "questions that deliveries open",
    "crediting/services/issues.py:questions_leave": "questions that nothing asks any more",
    "crediting/services/issues.py:questions_answer": "questions that a recorded act answers",
    "crediting/services/mappings.py:records_reread": "follows from a new mapping, which is recorded",
    "crediting/services/uploads.py:upload_step": "reads and checks rows of a file; taking it in is recorded",
    "payouts/services/attachments.py:attachment_add": "a part of the adjustment that it proves",
    "payouts/services/batch_steps.py:statements_open": "a part of the batch's steps, which record",
    "payouts/services/batch_steps.py:period_moves": "a part of the batch's steps, which record",
    "payouts/services/holds.py:people_follow": "a projection of holds, which are recorded",
    "payouts/services/large.py:step_take": "asks for a step of a batch, which records when it is taken",
    "payouts/services/large.py:steps_drain": "counts how often a step is tried; the step records",
    "payouts/services/ledger.py:post_query": "postings are numbered and chained themselves; the batch's step records",
    "payouts/services/payments.py:payments_post": "a part of paying and voiding, which record",
    "payouts/services/payments.py:reissue": "a part of an answer or a void, which record",
    "payouts/services/payroll_answers.py:answer_read": "compares a file and keeps who gave it; applying it records",
    "payouts/services/posting.py:posting_begin": "a part of the approval, which records",
    "payouts/services/posting.py:postings_drain": "the parts of an approval that was recorded",
}


@cache
def tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text())


def modules() -> Iterator[Path]:
    for pattern in (
        "comp/*/services.py",
        "comp/people/*.py",
        "plans/services.py",
        "plans/roster.py",
        "*/services/*.py",
    ):
        for path in sorted(ROOT.glob(pattern)):
            if path.parent.name not in ("tests", "local") and path.name != "__init__.py":
                yield path


def functions(path: Path) -> dict[str, ast.FunctionDef]:
    return {node.name: node for node in tree(path).body if isinstance(node, ast.FunctionDef)}


@cache
def imported(path: Path) -> dict[str, Path]:
    """What a module imports by name, and the file of the project that it is from."""
    found = {}
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.ImportFrom) and node.module:
            base = ROOT / node.module.replace(".", "/")
            for name in node.names:
                for file in (base.with_suffix(".py"), base / f"{name.name}.py"):
                    if file.exists():
                        found[name.asname or name.name] = file
    return found


def calls(node: ast.AST) -> Iterator[tuple[str, str]]:
    """(what it is called on, the name): `record(...)` is ("", "record"), `ledger.post(...)` is ("ledger", "post")."""
    for inner in ast.walk(node):
        if isinstance(inner, ast.Call):
            if isinstance(inner.func, ast.Name):
                yield "", inner.func.id
            elif isinstance(inner.func, ast.Attribute):
                on = inner.func.value
                yield (on.id if isinstance(on, ast.Name) else "?"), inner.func.attr


def reaches(path: Path, name: str, names: set[str], seen: set[tuple[Path, str]], *, writes: bool) -> bool:
    """Whether the function calls one of the names, itself or through functions of the project."""
    if (path, name) in seen or name not in functions(path):
        return False
    seen.add((path, name))
    for on, called in calls(functions(path)[name]):
        if called in names and (bool(on) if writes else on in ("", "tenancy")):
            return True
        target = imported(path).get(on or called, path if not on else None)
        if target is not None and reaches(target, called, names, seen, writes=writes):
            return True
    return False


def test_every_service_that_writes_records_it() -> None:
    silent = []
    for path in modules():
        where = path.relative_to(ROOT).as_posix()
        if where in PROJECTIONS:
            continue
        for name in functions(path):
            if name.startswith("_") or f"{where}:{name}" in REASONS:
                continue
            own = set(calls(functions(path)[name]))
            if not any(called in WRITES and on for on, called in own):
                continue
            if not reaches(path, name, RECORDS, set(), writes=False):
                silent.append(f"{where}:{name}")
    assert silent == []


def test_the_exceptions_are_there() -> None:
    """A reason for what is gone would excuse whatever comes under its name."""
    assert [where for where in PROJECTIONS if not (ROOT / where).exists()] == []
    for place in REASONS:
        where, _, name = place.partition(":")
        assert name in functions(ROOT / where), place
