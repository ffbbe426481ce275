"""Migration and sync: inventory, plan, journal, engine, verification, report. Talks to bare backends."""
