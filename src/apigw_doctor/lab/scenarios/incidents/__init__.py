"""The incidents, a module for each family; `catalogue` finds them."""
