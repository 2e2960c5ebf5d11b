"""How the board changed: two states of `leaderboard.json` compared, as a page, text or a feed."""
