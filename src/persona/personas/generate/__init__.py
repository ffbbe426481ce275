"""Making personas: the registry of providers, and the offline one."""
