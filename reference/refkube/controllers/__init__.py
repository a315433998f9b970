"""The controllers, each a file or folder named as upstream names it; what several share is in `common`."""
