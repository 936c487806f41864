"""Which weights are pruned and when: masks, schedules, callbacks, and their files."""
