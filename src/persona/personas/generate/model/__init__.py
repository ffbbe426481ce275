"""The arithmetic of grouping: a mixture model for answers, axes for free text, and exact tests, by numpy alone."""
