"""Readers of data sets in text, CSV and records, and what they share."""
