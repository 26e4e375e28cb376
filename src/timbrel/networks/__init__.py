"""Recipes, and the networks that they name."""
