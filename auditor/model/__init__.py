"""The nouns of pgolf: frozen, slotted dataclasses without behaviour beyond derived values. No I/O here."""
