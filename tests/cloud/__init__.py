"""What only cloud backends have: parts, retries, weak endpoints, signatures, credentials."""
