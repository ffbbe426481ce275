"""The tests; a package, so that they share `tests.servers` and the contract suite."""
