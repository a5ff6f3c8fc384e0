"""Entry point of a one-file submission of sp8192_1541: `pgolf pack reference_impl --entry entry_sp8192_1541`."""

from __future__ import annotations

from reference_impl.presets import sp8192_1541
from reference_impl.submit import submit


def main() -> None:
    """Train, quantise and evaluate."""
    submit(sp8192_1541(), __file__)


if __name__ == "__main__":
    main()
