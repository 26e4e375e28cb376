"""Predict with a finished model; needs onnxruntime, not Keras."""
