"""The article, replayed with real clients: the stage, the steps, and the page that a run of them writes."""
