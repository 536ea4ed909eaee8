"""Rules that say who belongs to a segment: a tree (`tree`), written as text (`language`) or built in a form
(`building`), and made one SQL query (`compiling`)."""
