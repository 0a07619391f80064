"""What the scripts beside this folder have in common, and the parts of the long ones."""
