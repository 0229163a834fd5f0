"""The inputs of a model from the rows of a file: which columns are its features, and which rows one sequence."""
