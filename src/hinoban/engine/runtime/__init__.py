"""What runs containers: the driver contract and its built-in drivers. Drivers call nobody; they are asked and they report."""
