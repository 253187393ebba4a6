"""Functions that really run: one subprocess per execution environment on AWS's own runtime client."""
