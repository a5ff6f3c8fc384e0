"""Entry point of a one-file submission of the cpu_tiny preset: `pgolf pack reference_impl --entry entry_cpu_tiny`."""

from __future__ import annotations

from reference_impl.presets import cpu_tiny
from reference_impl.submit import submit


def main() -> None:
    """Train, quantise and evaluate."""
    submit(cpu_tiny(), __file__)


if __name__ == "__main__":
    main()
