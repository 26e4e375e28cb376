"""How good a model is, measured on recordings that it has not heard."""
