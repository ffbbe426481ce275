"""Configuration: the schema of persona.yaml, and where each value comes from."""
