"""Storage: one interface, four backends, and the one function that opens them."""
