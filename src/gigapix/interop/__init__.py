"""Thin adapters to other projects, one file each; the other project is imported where it is used."""
