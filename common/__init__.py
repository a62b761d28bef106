"""What every room may use: errors for users, whole-or-nothing files, the frame of a command-line script."""
