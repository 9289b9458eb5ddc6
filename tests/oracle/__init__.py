"""The independent meaning of the plan language: slow, obvious, exact, written from docs/plan-language.md alone."""
