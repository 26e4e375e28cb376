"""Reports: pictures, pages, and scores in a terminal or a notebook."""
