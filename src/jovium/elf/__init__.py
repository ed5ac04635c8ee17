"""The electron localization function straight from atomic positions."""
