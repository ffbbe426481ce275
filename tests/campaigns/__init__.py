"""Campaigns: whole migrations by the command line, killed, disturbed, chained, measured."""
