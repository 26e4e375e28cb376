"""Known data sets from elsewhere: downloads that resume, archives that may be hostile."""
