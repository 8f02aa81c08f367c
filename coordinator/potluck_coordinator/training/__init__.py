"""Training with Keras on JAX, exactly as docs/protocol.md has it.

Headless donors train units with it, and the coordinator itself trains again what others trained.
"""
