"""Tests of the storage layer that are not the same for every backend."""
