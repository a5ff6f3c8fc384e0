"""Renderers: an audit result to text, JSON and the other formats. Pure functions to strings."""
