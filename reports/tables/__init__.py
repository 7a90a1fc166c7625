"""The leaderboard as Markdown, CSV, LaTeX and a data frame."""
