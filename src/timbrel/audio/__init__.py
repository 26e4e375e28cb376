"""Files to samples: decoding, cleaning, windows."""
