"""One module per fake service. A new one is added to `app.create_services`."""
