"""How each source is connected, in the words of its own screens. The whole is in docs/sources."""

from __future__ import annotations

SOURCE_NAMES = {
    "hubspot": "HubSpot",
    "salesforce": "Salesforce",
    "stripe": "Stripe",
    "segment": "Segment",
    "standard": "Standard Webhooks",
    "api": "REST API",
    "file": "Files",
}
#: What a person makes an endpoint for. The API and uploads make their own.
OFFERED = [(key, name) for key, name in SOURCE_NAMES.items() if key not in ("api", "file")]

GUIDES = {
    "hubspot": (
        "In HubSpot open your private app, Webhooks, and enter the address below as the target URL.",
        "Copy the app's client secret (Auth) here, as a new secret. The access token is not needed.",
        "Subscribe to deals, companies and line items: created, deleted, merged, association changed, and property "
        "changed for every property that the field mapping names.",
    ),
    "salesforce": (
        "State your organization's id (00D…, Company Information) here, as a new secret.",
        "In Salesforce make an outbound message for Opportunity with the address below and “Send Session ID” off. "
        "Choose every field that the field mapping names, and SystemModstamp.",
        "Send it from a record-triggered flow on create and update. Change events and flow callouts may be posted as "
        "JSON instead, signed by the rules of Standard Webhooks with a secret that Comp makes.",
    ),
    "stripe": (
        "In Stripe, Developers, Webhooks, add the address below with snapshot events of invoices, refunds and "
        "customer.subscription.deleted.",
        "Copy the signing secret (whsec_…) here, as a new secret.",
        "Put the deal's id into the metadata “deal” of subscriptions, one-off invoices and refunds.",
    ),
    "segment": (
        "In Segment add the destination Webhooks (Actions) for Track and Group, with the whole event as its data and "
        "the address below. Turn batching off.",
        "Enter the same shared secret there and here, as a new secret.",
        "From your own code: a Segment library with the address below as host and the secret as write key.",
    ),
    "standard": (
        "Post each event to the address below as JSON, signed by the rules of Standard Webhooks with the secret that "
        "Comp made. Any of its libraries will do.",
        "The events are described in docs/intake.md, with a JSON Schema.",
    ),
    "api": ("Facts come by the REST API, with a key of its own (API keys).",),
    "file": ("Facts come in files that people upload (Uploads).",),
}
