"""The proof of the code on a GPU, see benchmarks.gpu.__main__."""
