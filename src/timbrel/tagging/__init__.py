"""Sort a library of recordings into folders, so that it can be resumed and taken back."""
