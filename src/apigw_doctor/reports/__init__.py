"""One reporter per format; they fetch nothing and judge nothing."""
