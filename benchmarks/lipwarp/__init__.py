"""What the default must show: the people, the corpus, the figures."""
