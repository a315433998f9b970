"""Step definitions, split by domain. They know drivers by their interface only."""
