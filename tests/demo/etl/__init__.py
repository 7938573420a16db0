"""Nightly job: how the readings of Han characters are spread over scripts, blocks and fields, day by day."""
