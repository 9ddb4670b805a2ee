"""How well a world searches, and how fast it is: each figure with its interval, or as a ratio of two things measured
in turns within one run (`lite bench search`, `lite bench world`).
"""
