"""Workflows: where the two pipelines join; no formula lives here."""
