"""What the rest of the company hears: events written with what they tell of, then published."""
