"""The rules of the mirror: names, freshness, budget, flights, eviction. Knows no HTTP framework and no SQL."""
