"""Addresses of the pages where people see their own pay, and managers their team's."""

from __future__ import annotations

from django.urls import path

from payouts.pages import days as days  # `<day:…>` in addresses
from payouts.pages import deals, home, statements, team, why

rep_urls = [
    path("home/", home.home, name="home"),
    path("home/figures/", home.figures, name="home_figures"),
    path("deals/", deals.my_deals, name="my_deals"),
    path("statements/", statements.statement_list, name="statement_list"),
    path("statements/<day:period>/", statements.own_statement, name="statement"),
    path("statements/<day:period>/<int:participant>/", statements.statement_of, name="statement"),
    path("why/<int:pk>/", why.why, name="why"),
    path("team/", team.team, name="team"),
]
