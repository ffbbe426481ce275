"""Personas: the model, the input they are made from, generation, the library, export."""
