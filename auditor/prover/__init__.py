"""Behavioural proof in miniature: perturb the data, watch what the script sums."""
