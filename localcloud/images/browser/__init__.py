"""The image of the browser for enterprise customers."""
