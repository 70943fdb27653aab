"""One module a part of the outside world. A new part is added to `app.create_parts`."""
