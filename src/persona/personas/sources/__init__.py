"""Research data as input: tables, JSON, transcripts and folders of these, all read into records."""
