"""HubSpot: webhook notifications of deals, companies, line items and other CRM objects. See docs/sources/hubspot.md."""

from crediting.intake.hubspot.adapter import SOURCE as SOURCE
