"""The layer of Node.js, which the images of gateways share."""
