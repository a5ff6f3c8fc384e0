"""Runs untrusted code confined: bubblewrap where it works, a landlock and seccomp lock elsewhere."""
