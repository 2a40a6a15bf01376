"""Cavendish: ask for N images, get N images."""
