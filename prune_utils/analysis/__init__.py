"""From results to frames, estimates, verdicts and regimes."""
