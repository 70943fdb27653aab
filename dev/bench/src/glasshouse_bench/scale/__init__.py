"""What a record costs at each part past one machine, and how that grows: rate, services, labels."""
