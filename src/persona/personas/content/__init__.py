"""Finds one respondent in the content of an object, and cuts that respondent's bytes out of it."""
