"""Merge fields: reading a text that has some, and saying it to one person (docs/texts.md)."""
