"""Rules that turn what a log says into feature, cohort, team, route and model tier."""
