"""Bringing people in from files: read (`reading`), understand (`guessing`, `rows`), store (`running`)."""
