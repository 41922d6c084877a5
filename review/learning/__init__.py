"""What people decide, taught to the specialist; and what it makes of it, for people to look at."""
