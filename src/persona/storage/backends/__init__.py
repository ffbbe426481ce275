"""The backends: each speaks to one provider, and knows no other."""
