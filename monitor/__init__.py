"""riskmon: the engine and the application around it."""
