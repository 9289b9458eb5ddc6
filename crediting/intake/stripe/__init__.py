"""Stripe: invoices, payments, refunds and subscriptions. See docs/sources/stripe.md."""

from crediting.intake.stripe.adapter import SOURCE as SOURCE
