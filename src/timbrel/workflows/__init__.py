"""One module a verb that puts the pieces together."""
