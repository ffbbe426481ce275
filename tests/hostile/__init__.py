"""Input, configuration, names and answers of someone who means harm, or of something that is broken."""
