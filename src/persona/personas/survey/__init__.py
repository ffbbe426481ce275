"""What a survey asks and what was answered: questions, their kinds and use, and how a codebook changes them."""
