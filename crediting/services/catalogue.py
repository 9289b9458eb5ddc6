"""The catalogue that deals name: accounts and products, as people enter them."""

from __future__ import annotations

from comp.audit.services import record
from comp.core.errors import refused
from crediting.models import Account, HookEndpoint, Product, SourceMapping
from crediting.services.issues import questions_answer
from crediting.services.locks import intake_hold


def account_create(
    *, key: str, name: str, sector: str = "", country: str = "", state: str = "", postal: str = ""
) -> Account:
    """A customer. Its sector is known from now on; deals that waited for the account are taken again."""
    intake_hold()  # before the audit trail's, as everybody takes them
    _check_new(Account, key, name)
    account = Account.objects.create(key=key, name=name, sector=sector, country=country, state=state, postal=postal)
    record(code="account.create", subject=account, after={"key": key, "name": name, "sector": sector})
    _came({SourceMapping.Kind.ACCOUNT: [key, name], SourceMapping.Kind.SECTOR: [sector]})
    return account


def product_create(*, key: str, name: str, series: str = "", list_price_minor: int | None = None) -> Product:
    """What is sold; the list price in minor units of the company's currency. Deals that waited for it are taken
    again."""
    intake_hold()  # as above
    _check_new(Product, key, name)
    product = Product.objects.create(key=key, name=name, series=series, list_price_minor=list_price_minor)
    after = {"key": key, "name": name, "series": series, "list_price_minor": list_price_minor}
    record(code="product.create", subject=product, after=after)
    _came({SourceMapping.Kind.PRODUCT: [key, name]})
    return product


def _check_new(model: type[Account] | type[Product], key: str, name: str) -> None:
    what = model._meta.verbose_name
    if not key.strip() or not name.strip():
        raise refused("name", name, "a key and a name", f"The {what} needs a key and a name.")
    if model.objects.filter(key=key).exists():
        raise refused("key", key, "a key that is free", f"The {what} {key} exists already.")


def _came(words: dict[str, list[str]]) -> None:
    """Answers what was asked about these words, whichever endpoint they came from. Callers hold the intake lock."""
    for endpoint in HookEndpoint.objects.values_list("id", flat=True):
        for kind, values in words.items():
            given = [value for value in values if value]
            questions_answer(endpoint_id=endpoint, kinds=[kind], values=given, answer="entered in the catalogue")
