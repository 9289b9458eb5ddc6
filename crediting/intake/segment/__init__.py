"""Segment: track and group calls, as its webhooks and its tracking clients send them. See docs/sources/segment.md."""

from crediting.intake.segment.adapter import SOURCE as SOURCE
