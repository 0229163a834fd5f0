"""The models of docs/exporting.md: the page's own code makes them, and the tests explain them."""
