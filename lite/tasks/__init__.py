"""Tasks from a world: facts read from its pages, makers that propose, checks that dispose."""
