"""Persona turns interviews and surveys into user personas, and keeps the library on local disk, S3, GCS or Azure Blob."""

__version__ = "0.1.0"
