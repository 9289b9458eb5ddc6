"""Comp: incentive compensation, exact and explained."""
