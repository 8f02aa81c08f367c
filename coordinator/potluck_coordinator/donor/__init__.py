"""A donor without a browser: the same protocol, trained with Keras on JAX."""
