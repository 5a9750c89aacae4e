"""Products with the data, however they are stored; what is made of them is told here and nowhere else."""
