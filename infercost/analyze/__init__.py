"""Questions to the store and their answers as plain figures; knows nothing of drawing."""
