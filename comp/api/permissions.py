"""Refuse by default: an API view that states no permission answers nobody."""

from __future__ import annotations

from typing import Any

from rest_framework.permissions import BasePermission
from rest_framework.request import Request


class Refused(BasePermission):
    def has_permission(self, request: Request, view: Any) -> bool:
        return False
