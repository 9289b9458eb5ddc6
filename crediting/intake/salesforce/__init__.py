"""Salesforce: outbound messages (SOAP), change events and records sent by a flow or a trigger (JSON). See
docs/sources/salesforce.md."""

from crediting.intake.salesforce.adapter import SOURCE as SOURCE
