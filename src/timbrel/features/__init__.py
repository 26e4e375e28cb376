"""Samples to pictures: MFCC and log-mel as Keras layers, and the cache."""
