"""Where credentials come from: for each provider a documented order, and which way was taken."""
