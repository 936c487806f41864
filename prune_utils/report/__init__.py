"""Figures, tables, sentences and pages."""
