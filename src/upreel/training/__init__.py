"""From a recipe and a folder of clips to a file of weights."""
