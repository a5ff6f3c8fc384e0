"""Shards, tokenizer tables, loaders and the small CPU corpus."""
