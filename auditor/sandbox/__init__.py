"""Run untrusted code with no network, no host files and bounded resources."""
