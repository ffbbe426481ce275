"""Persona turns interviews and surveys into user personas, kept on local disk, S3, GCS or Azure Blob."""

__version__ = "0.1.0"
