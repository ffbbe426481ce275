"""Tests of migrations and syncs."""
