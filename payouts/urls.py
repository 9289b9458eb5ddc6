"""Addresses below /t/<tenant>/."""

from __future__ import annotations

from django.urls import URLPattern

from payouts.pages.approval_rules import rule_urls
from payouts.pages.approvals import approval_urls
from payouts.pages.batches import batch_urls
from payouts.pages.by_hand.adjustments import adjustment_urls
from payouts.pages.by_hand.below_zero import below_zero_urls
from payouts.pages.by_hand.holds import hold_urls
from payouts.pages.by_hand.letters import letter_urls
from payouts.pages.by_hand.reviews import review_urls
from payouts.pages.checklists import checklist_urls
from payouts.pages.close import close_urls
from payouts.pages.cutovers import cutover_urls
from payouts.pages.disputes import dispute_urls
from payouts.pages.downloads import download_urls
from payouts.pages.evidence import evidence_urls
from payouts.pages.jobs import job_urls
from payouts.pages.journals import journal_urls
from payouts.pages.ledger import ledger_urls
from payouts.pages.parallel import parallel_urls
from payouts.pages.payments import payment_urls
from payouts.pages.payroll import payroll_urls
from payouts.pages.periods import period_urls
from payouts.pages.roster import roster_urls
from payouts.pages.urls_rep import rep_urls

urlpatterns: list[URLPattern] = [
    *rep_urls,
    *batch_urls,
    *period_urls,
    *checklist_urls,
    *payment_urls,
    *payroll_urls,
    *ledger_urls,
    *close_urls,
    *journal_urls,
    *cutover_urls,
    *evidence_urls,
    *download_urls,
    *parallel_urls,
    *job_urls,
    *roster_urls,
    *adjustment_urls,
    *hold_urls,
    *letter_urls,
    *review_urls,
    *below_zero_urls,
    *dispute_urls,
    *approval_urls,
    *rule_urls,
]
