"""The demo company: real CRM data, sent as signed events through the real hooks (docs/demo.md)."""
