"""The cache folder: content in files, an index in SQLite, shared by any number of processes."""
