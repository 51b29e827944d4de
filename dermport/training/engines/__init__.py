"""Where several trainings run: one after the other, in processes of this machine, or on a Ray cluster."""
