"""Training: demonstrations, a cold start on them, then GRPO with LoRA in the world, stage by stage."""
