"""Training: demonstrations, supervised fine-tuning, reinforcement learning, and what comes of them."""
