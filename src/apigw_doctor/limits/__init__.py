"""Dated facts about AWS limits, defaults and prices, each with its source."""
