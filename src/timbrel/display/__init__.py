"""What a notebook or a terminal shows: HTML of objects, and bars of progress."""
