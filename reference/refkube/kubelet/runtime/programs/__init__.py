"""The programs that images hold, one file each, and which image holds which."""
