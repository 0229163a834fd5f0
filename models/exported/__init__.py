"""The models of docs/exporting.md. The code on the page makes them, and the tests explain them."""
