"""What servers find in place of public services: DNS, a certificate authority, an image registry."""
