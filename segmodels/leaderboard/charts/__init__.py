"""Charts of the leaderboard page, as SVG."""
