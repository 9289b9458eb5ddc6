"""Who hears whose news, and in which order waiting work is done. The only place where lower rooms reach upper ones."""

from __future__ import annotations

from django.apps import AppConfig


class WiringConfig(AppConfig):
    name = "comp"
    label = "comp"

    def ready(self) -> None:
        import comp.celery  # noqa: F401  (so that shared tasks find the app in every process)
        from comp.api import webhooks
        from comp.outbox.services import JOBS, messages_drain, register_drain, subscribe
        from comp.people.erasure import erase_also, erasures_drain
        from crediting.services import alignment, issues, waiting
        from crediting.services import people as people_from_sources
        from crediting.services.mailbox import mailbox_drain
        from crediting.services.mappings import records_reread
        from payouts.examples import example_problems
        from payouts.services import claims, covered, disputes, large, posting, scopes, unconverted
        from payouts.services.downloads import downloads_drain, downloads_erase
        from payouts.services.erasing import attachments_erase
        from payouts.services.evidence import evidence_drain
        from plans.services import register_judge

        subscribe("facts.changed", scopes.on_facts_changed)
        subscribe("facts.loaded", scopes.on_facts_loaded)
        subscribe("plan.published", scopes.on_plan_published)
        subscribe("plan.published", webhooks.on_plan_published)
        subscribe("assignment.changed", scopes.on_assignment_changed)
        subscribe("quota.changed", scopes.on_quota_changed)
        subscribe("people.changed", people_from_sources.on_people_changed)
        subscribe("people.changed", alignment.on_people_changed)
        subscribe("people.changed", scopes.on_people_changed)
        subscribe("people.changed", disputes.on_people_changed)
        subscribe("disputes.left", disputes.on_disputes_left)
        subscribe("rates.changed", issues.on_rates_changed)
        subscribe("rates.changed", scopes.on_rates_changed)
        subscribe("openings.changed", scopes.on_openings_changed)
        subscribe("openings.touched", covered.on_openings_touched)
        subscribe("credits.waiting", waiting.on_credits_waiting)
        subscribe("payables.waiting", unconverted.on_payables_waiting)
        register_judge(example_problems)
        register_drain("mailbox", mailbox_drain)
        register_drain("mappings", records_reread, queue=JOBS)
        register_drain("messages", messages_drain)
        register_drain("recompute", claims.changes_recompute)
        register_drain("later", claims.later_recompute)
        register_drain("places", claims.places_recompute)
        register_drain("large steps", large.steps_drain, queue=JOBS)
        register_drain("postings", posting.postings_drain, queue=JOBS)
        # Whoever redoes single changes gives way to a chunk of the company's own job: they come before its next one.
        register_drain("recompute between chunks", claims.changes_recompute, queue=JOBS)
        register_drain("later between chunks", claims.later_recompute, queue=JOBS)
        register_drain("places between chunks", claims.places_recompute, queue=JOBS)
        register_drain("jobs", claims.jobs_recompute, queue=JOBS)
        erase_also(attachments_erase)
        erase_also(downloads_erase)
        # An evidence export or a download that is stopped at its time limit ends the task: what must not wait for that
        # comes before.
        register_drain("erasures", erasures_drain, queue=JOBS)
        register_drain("evidence", evidence_drain, queue=JOBS)
        register_drain("downloads", downloads_drain, queue=JOBS)
        register_drain("webhooks", webhooks.webhooks_drain)
