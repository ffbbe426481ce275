"""Tests of the configuration and of workspaces."""
