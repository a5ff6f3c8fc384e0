"""Muon, parameter groups, schedules and weight averaging."""
